import type { Digest } from "@nearlayer/shared/digest";

/**
 * Weighted rendezvous hashing: every mirror draws a number from the key and its own name, and the largest is first.
 * A mirror wins in proportion to its weight; when one leaves, only the keys that it had won move, and they spread
 * over the others. Not cryptography: fast, and the same on every instance.
 */

/** 64 bits of a text's hash, as two words. */
export type Seed = readonly [number, number];

/** murmur3's finalizer: every bit of the input reaches every bit of the result. */
function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const START: Seed = [0x811c9dc5, 0x9747b28c];

/** FNV-1a from two starts, mixed; or from the seed of what stands before the text, which need not be joined to it. */
export function seedOf(text: string, before: Seed = START): Seed {
  let a = before[0];
  let b = before[1];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x01000193) ^ (a >>> 7);
  }
  return [mix(a), mix(b ^ 0x5bd1e995)];
}

/** The same of numbers of up to 16 bits. */
export function seedOfNumbers(numbers: readonly number[]): Seed {
  let a = START[0];
  let b = START[1];
  for (const number of numbers) {
    a = Math.imul(a ^ number, 0x01000193);
    b = Math.imul(b ^ number, 0x01000193) ^ (a >>> 7);
  }
  return [mix(a), mix(b ^ 0x5bd1e995)];
}

/** A seed for a digest and something else: the one is as even as a hash as the other. */
export function seedWithDigest(seed: Seed, digest: Digest): Seed {
  return [(seed[0] ^ wordAt(digest, digest.length - 16)) >>> 0, (seed[1] ^ wordAt(digest, digest.length - 8)) >>> 0];
}

/** Eight lower-case hexadecimal digits as a number. */
function wordAt(text: string, start: number): number {
  let word = 0;
  for (let at = start; at < start + 8; at += 1) {
    const code = text.charCodeAt(at);
    word = (word << 4) | (code <= NINE ? code - NINE + 9 : code - LETTER_F + 15);
  }
  return word;
}

const NINE = "9".charCodeAt(0);
const LETTER_F = "f".charCodeAt(0);

/** What a mirror brings to every draw; `scores` keeps those of many in arrays. */
const firstWord = (mirror: Seed) => mix((mirror[0] + 0x9e3779b9) | 0);
const highOf = (key: Seed, first: number) => mix(key[0] ^ first);

/** 53 even bits, never 0 and never 1. */
function uniform(key: Seed, high: number, second: number): number {
  const low = mix((key[1] ^ high) + second);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6) + 0.5) / 2 ** 53;
}

/** A number between 0 and 1 for a key and a mirror. */
export function uniformOf(key: Seed, mirror: Seed): number {
  return uniform(key, highOf(key, firstWord(mirror)), mirror[1]);
}

/** A mirror's score for a key: larger is better. Its weight must be positive. */
export function scoreOf(key: Seed, mirror: Seed, weight: number): number {
  return weight / -Math.log(uniformOf(key, mirror));
}

/** The scores of many mirrors, by their numbers. */
export interface Scores {
  /** `scoreOf` that mirror, or undefined when it is less than `worst`. */
  scoreOf(key: Seed, number: number, worst: number): number | undefined;
}

/**
 * Scores for when the best of a thousand are looked for: what they hang on lies side by side, and a mirror that cannot
 * reach `worst` costs one hash and no logarithm, because -ln(u) is more than 1 - u.
 */
export function scoresOf(mirrors: readonly { readonly seed: Seed; readonly bandwidth: number }[]): Scores {
  const first = Int32Array.from(mirrors, ({ seed }) => firstWord(seed));
  const second = Int32Array.from(mirrors, ({ seed }) => seed[1]);
  const weights = Float64Array.from(mirrors, ({ bandwidth }) => bandwidth);
  return {
    scoreOf(key, number, worst) {
      const high = highOf(key, first[number] ?? 0);
      const weight = weights[number] ?? 0;
      if (weight < worst * (1 - ((high >>> 5) + 1) / 2 ** 27)) return undefined;
      const score = weight / -Math.log(uniform(key, high, second[number] ?? 0));
      return score < worst ? undefined : score;
    },
  };
}
