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

/** FNV-1a from two starts, mixed. */
export function seedOf(text: string): Seed {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x01000193) ^ (a >>> 7);
  }
  return [mix(a), mix(b ^ 0x5bd1e995)];
}

/** A mirror's score for a key: larger is better. Its weight must be positive. */
export function scoreOf(key: Seed, mirror: Seed, weight: number): number {
  const high = mix(key[0] ^ mix((mirror[0] + 0x9e3779b9) | 0));
  const low = mix((key[1] ^ high) + mirror[1]);
  // 53 even bits, never 0 and never 1.
  const uniform = ((high >>> 5) * 2 ** 26 + (low >>> 6) + 0.5) / 2 ** 53;
  return weight / -Math.log(uniform);
}
