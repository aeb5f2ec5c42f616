import type { Address, Family, Netblock } from "./netblock.ts";

/** What is said of the netblocks that hold an address, from the longest to the shortest. */
export interface Match<T> {
  /** The same number is the same netblock. */
  readonly id: number;
  readonly bits: number;
  readonly values: readonly T[];
  /** The next shorter netblock that holds it too. */
  readonly wider: Match<T> | undefined;
}

/** Finds the netblocks that hold an address, in as many steps as the longest has bits, however many there are. */
export interface NetblockTrie<T> {
  longest(address: Address): Match<T> | undefined;
}

const ROOTS: Readonly<Record<Family, number>> = { ipv4: 0, ipv6: 1 };

/** A binary trie (radix 2): a level for each bit, with an IPv4 and an IPv6 root. */
export function createNetblockTrie<T>(entries: Iterable<readonly [Netblock, T]>): NetblockTrie<T> {
  /** The node behind bit `b` of node `n` is at `2n + b`; 0 is none, as no node leads back to a root. */
  const next: number[] = [0, 0, 0, 0];
  const values = new Map<number, T[]>();
  const bitsOf = new Map<number, number>();
  for (const [{ base, bits }, value] of entries) {
    const bytes = base.toByteArray();
    let node = ROOTS[base.kind()];
    for (let bit = 0; bit < bits; bit++) {
      const edge = 2 * node + bitAt(bytes, bit);
      const known = next[edge] ?? 0;
      node = known === 0 ? next.push(0, 0) / 2 - 1 : known;
      next[edge] = node;
    }
    bitsOf.set(node, bits);
    const said = values.get(node);
    if (said === undefined) values.set(node, [value]);
    else said.push(value);
  }
  const matches = new Map<number, Match<T>>();
  return {
    longest(address) {
      if (values.size === 0) return undefined;
      const bytes = address.toByteArray();
      let found: Match<T> | undefined;
      let node = ROOTS[address.kind()];
      for (let bit = 0; ; bit++) {
        const said = values.get(node);
        if (said !== undefined) found = matches.get(node) ?? remember(node, said, found);
        node = bit < bytes.length * 8 ? (next[2 * node + bitAt(bytes, bit)] ?? 0) : 0;
        if (node === 0) return found;
      }
    },
  };

  function remember(id: number, said: readonly T[], wider: Match<T> | undefined): Match<T> {
    const match = { id, bits: bitsOf.get(id) ?? 0, values: said, wider };
    matches.set(id, match);
    return match;
  }
}

const bitAt = (bytes: readonly number[], bit: number) => ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
