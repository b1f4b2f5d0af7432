import DataLoader from 'dataloader';

/**
 * A loader per context that turns N lookups of one tick into one query. Nothing is cached beyond the tick: the context
 * of a subscription lives for hours.
 *
 * @param load answers one value per key, in the order of the keys; each key comes once.
 */
export function perContext<C extends object, V>(load: (context: C, keys: readonly string[]) => Promise<V[]>) {
  const loaders = new WeakMap<C, DataLoader<string, V>>();
  return (context: C, key: string): Promise<V> => {
    let loader = loaders.get(context);
    if (loader === undefined) {
      const loadOnce = async (keys: readonly string[]): Promise<V[]> => {
        const unique = [...new Set(keys)];
        const values = await load(context, unique);
        const byKey = new Map(unique.map((one, index) => [one, values[index] as V]));
        return keys.map((one) => byKey.get(one) as V);
      };
      loader = new DataLoader(loadOnce, { cache: false });
      loaders.set(context, loader);
    }
    return loader.load(key);
  };
}
