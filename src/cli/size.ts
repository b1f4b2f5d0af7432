const UNITS = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
] as const;

/** E.g. `3.1 GB`. */
export function size(bytes: number): string {
  const [least, unit] = UNITS.find(([from]) => bytes >= from) ?? [1, 'bytes'];
  return `${least === 1 ? bytes : (bytes / least).toFixed(1)} ${unit}`;
}
