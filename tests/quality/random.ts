/** A seeded source of chance: the same numbers on every machine. */
export interface Random {
  /** Uniform in 0 … 1. */
  uniform(): number;
  /** Uniform between two bounds. */
  between(from: number, to: number): number;
  /** A whole number from 0 to `below` − 1. */
  whole(below: number): number;
  /** Standard normal. */
  normal(): number;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const letter of text) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return state >>> 0;
}

/** Mulberry32 for the uniform numbers, Box and Muller for the normal ones. `parts` name what the numbers are for. */
export function createRandom(seed: number, ...parts: readonly (string | number)[]): Random {
  let state = hash([seed, ...parts].join('/'));
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    uniform,
    between: (from, to) => from + (to - from) * uniform(),
    whole: (below) => Math.floor(uniform() * below),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}
