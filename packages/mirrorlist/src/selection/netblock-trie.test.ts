import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { createRandom } from "../testing/random.ts";
import { parseAddress } from "./client.ts";
import { type Address, contains, type Netblock, parseNetblock } from "./netblock.ts";
import { createNetblockTrie, type Match } from "./netblock-trie.ts";

/** The twin: looks at every netblock. */
function bruteForce(netblocks: readonly Netblock[], address: Address): string[] {
  const holding = netblocks.map((netblock, index) => ({ netblock, index }));
  return holding
    .filter(({ netblock }) => contains(netblock, address))
    .sort((a, b) => b.netblock.bits - a.netblock.bits || a.index - b.index)
    .map(({ netblock, index }) => `${netblock.bits} ${index}`);
}

function found(match: Match<number> | undefined): string[] {
  return match === undefined ? [] : [...match.values.map((value) => `${match.bits} ${value}`), ...found(match.wider)];
}

const next = createRandom(11);
/** Few different bytes: many netblocks lie within each other, and are the same. */
const bytes = (count: number) => Array.from({ length: count }, () => [0, 1, 10, 127, 128, 255][next(6)] ?? 0);
const randomAddress = () => ipaddr.fromByteArray(bytes(next(2) ? 4 : 16));

test("finds for every address the netblocks that looking at each of them finds, the longest first", () => {
  for (let round = 0; round < 40; round++) {
    const netblocks = Array.from({ length: next(120) }, () => {
      const base = randomAddress();
      return { text: "", base, bits: next(base.toByteArray().length * 8 + 1) };
    });
    const trie = createNetblockTrie(netblocks.map((netblock, index) => [netblock, index]));
    for (let address = 0; address < 150; address++) {
      const asked = next(3) === 0 ? (netblocks[next(netblocks.length)]?.base ?? randomAddress()) : randomAddress();
      expect(found(trie.longest(asked))).toEqual(bruteForce(netblocks, asked));
    }
  }
});

test("the same netblock is the same match, and the families are apart", () => {
  const trie = createNetblockTrie(
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/8", "::/0"].map((text, index) => [parseNetblock(text), index]),
  );
  const longest = (text: string) => trie.longest(parseAddress(text) ?? ipaddr.parse("::"));
  expect(longest("10.1.2.3")).toBe(longest("10.3.2.1"));
  expect(longest("10.1.2.3")).toMatchObject({ bits: 8, values: [1, 2], wider: { bits: 0, values: [0] } });
  expect(longest("::ffff:11.0.0.1")).toMatchObject({ bits: 0, values: [0], wider: undefined });
  expect(longest("2001:db8::1")?.values).toEqual([3]);
  expect(createNetblockTrie([]).longest(ipaddr.parse("10.0.0.1"))).toBeUndefined();
});
