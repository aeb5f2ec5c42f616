import type { Hex } from "@nearlayer/shared/digest";

/** A line of a list that came (`size` in bytes) or went (`size` undefined). */
export interface ListChange {
  readonly hex: Hex;
  readonly size: number | undefined;
}

/** How many lines a merge added, less those it took away, and their bytes. */
export interface MergeBalance {
  files: number;
  bytes: number;
}

const NEWLINE = 0x0a;
const HEX_LENGTH = 64;

/**
 * Merges changes into a list's text: `<hex> <size>` lines, sorted. `changes` are sorted by hex too. Pieces of the text
 * that no change falls into are passed on as they are, so that the cost follows the bytes and not the lines; `balance`
 * is brought up to date on the way.
 */
export async function* mergeList(
  text: AsyncIterable<Buffer>,
  changes: readonly ListChange[],
  balance: MergeBalance,
): AsyncGenerator<Buffer> {
  let next = 0;
  for await (const block of wholeLines(text)) {
    const last = hexAt(block, block.lastIndexOf(NEWLINE, block.length - 2) + 1);
    let position = 0;
    for (let change = changes[next]; change !== undefined && change.hex <= last; change = changes[++next]) {
      const place = findLine(block, position, change.hex);
      if (place > position) yield block.subarray(position, place);
      position = place;
      if (hexAt(block, place) === change.hex) {
        const end = block.indexOf(NEWLINE, place) + 1;
        balance.files -= 1;
        balance.bytes -= Number(block.toString("latin1", place + HEX_LENGTH + 1, end - 1));
        position = end;
      }
      if (change.size !== undefined) yield added(change.hex, change.size, balance);
    }
    if (position < block.length) yield position === 0 ? block : block.subarray(position);
  }
  for (const { hex, size } of changes.slice(next)) if (size !== undefined) yield added(hex, size, balance);
}

function added(hex: Hex, size: number, balance: MergeBalance): Buffer {
  balance.files += 1;
  balance.bytes += size;
  return Buffer.from(`${hex} ${size}\n`, "latin1");
}

/** Cuts a text into pieces that end with a newline, about as large as they came. */
async function* wholeLines(text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of text) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      rest = Buffer.concat([rest, chunk]);
      continue;
    }
    yield rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([rest, chunk.subarray(0, end)]);
    // A copy: the decompressor's buffer is large, and what is left of it a part of a line.
    rest = Buffer.from(chunk.subarray(end));
  }
  if (rest.length > 0) yield Buffer.concat([rest, Buffer.from("\n")]);
}

const hexAt = (block: Buffer, start: number) => block.toString("latin1", start, start + HEX_LENGTH);

/** Where the first line at or after `from` begins whose hex is not less; the block's end when there is none. */
function findLine(block: Buffer, from: number, hex: Hex): number {
  let [low, high] = [from, block.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const start = middle === low ? low : Math.max(low, block.lastIndexOf(NEWLINE, middle - 1) + 1);
    if (hexAt(block, start) < hex) low = block.indexOf(NEWLINE, start) + 1;
    else high = start;
  }
  return low;
}
