import { deflateRawSync, inflateRawSync } from "node:zlib";
import { createLru } from "../lru.ts";
import { keepTogether } from "./slab.ts";

/** Some bytes among others that are compressed together. */
export interface Packed {
  readonly block: Block;
  /** Where they are in the block. */
  readonly offset: number;
  /** How many they are, in bytes. */
  readonly size: number;
}

/** What came together is packed together. The last one is being filled, and is not compressed yet. */
export interface Block {
  bytes: Uint8Array;
  /** How many bytes there are once it is opened; undefined while it is being filled. */
  opened?: number;
}

/**
 * Some manifests have most of their words in common: a quarter of them is left, and to open them again takes 10 µs. Of
 * blocks twice as large not much less is left, and they take twice as long to open; of one manifest alone a third is.
 */
const BLOCK_BYTES = 8 * 1024;

/** What is asked for again is found as it is: what all of it may have together. */
const KEPT_BYTES = 8 * 1024 * 1024;
const kept = createLru<Packed, Uint8Array>(KEPT_BYTES, ({ length }) => length);

let filling: Block = { bytes: new Uint8Array(0) };
let used = 0;

/** Keeps bytes that are asked for rarely, as most are of what there is much of, in a part of the memory that they need. */
export function pack(bytes: Uint8Array): Packed {
  if (used + bytes.length > filling.bytes.length) {
    close(filling, used);
    filling = { bytes: new Uint8Array(Math.max(BLOCK_BYTES, bytes.length)) };
    used = 0;
  }
  const packed = { block: filling, offset: used, size: bytes.length };
  filling.bytes.set(bytes, used);
  used += bytes.length;
  return packed;
}

/** The same bytes. They must not be changed: others may be given them, too. */
export function unpack(packed: Packed): Uint8Array {
  const known = kept.get(packed);
  if (known !== undefined) return known;
  const { block, offset, size } = packed;
  // A copy, so that what is kept is this and not the whole block.
  const bytes = new Uint8Array(open(block).subarray(offset, offset + size));
  kept.set(packed, bytes);
  return bytes;
}

function close(block: Block, length: number): void {
  block.opened = length;
  block.bytes = keepTogether(deflateRawSync(block.bytes.subarray(0, length), { level: 1 }));
}

function open({ bytes, opened }: Block): Uint8Array {
  return opened === undefined ? bytes : inflateRawSync(bytes, { chunkSize: Math.max(64, opened) });
}
