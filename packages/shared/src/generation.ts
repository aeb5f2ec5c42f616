import { createHash } from "node:crypto";
import { type Digest, fromHex, type Hex, hexOf, isHex } from "./digest.ts";
import { NearlayerError } from "./errors.ts";
import { noteText } from "./note.ts";
import { isPlatform, type Platform } from "./platform.ts";

/**
 * The state of a platform's published blobs. Each change of the set makes the next number, so that whether a mirror
 * has a blob is one comparison: the blob came with generation n, the mirror shows generation m, and m >= n.
 */
export interface Generation {
  readonly platform: Platform;
  /** 1 for the first; without a gap. */
  readonly number: number;
  /** When it was made, whole seconds, ISO 8601 in UTC. */
  readonly time: string;
  /** How many blobs the platform has in this generation, and their size together. */
  readonly files: number;
  readonly bytes: number;
  /** The sha256 of the list's text, before gzip. */
  readonly listSha256: Hex;
}

/** A blob of a list or a delta. */
export interface ListEntry {
  readonly digest: Digest;
  readonly size: number;
}

/** The largest GENERATION file, in bytes. */
export const MAX_GENERATION_BYTES = 1024;

const FORMAT = "nearlayer generation 1";

/** The text of a GENERATION file, ready to be signed: a line that names the format, then `key: value` lines. */
export function formatGeneration(generation: Generation): string {
  return [
    FORMAT,
    `platform: ${generation.platform}`,
    `number: ${generation.number}`,
    `previous: ${generation.number - 1}`,
    `time: ${generation.time}`,
    `files: ${generation.files}`,
    `bytes: ${generation.bytes}`,
    `list-sha256: ${generation.listSha256}`,
    "",
  ].join("\n");
}

/** Reads a GENERATION file, signed or not; signatures are not checked here. Throws GENERATION_INVALID. */
export function parseGeneration(note: string): Generation {
  if (note.length > MAX_GENERATION_BYTES) throw invalid(`larger than ${MAX_GENERATION_BYTES} bytes`);
  const [first, ...lines] = noteText(note).split("\n");
  if (first !== FORMAT) throw invalid(`does not begin with "${FORMAT}"`);
  const fields = new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(": ");
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 2)] as const];
    }),
  );
  const field = (name: string): string => fields.get(name) ?? fail(`has no ${name}`);
  const integer = (name: string): number => {
    const text = field(name);
    return /^\d{1,15}$/.test(text) ? Number(text) : fail(`${name} is not a number`);
  };
  const platform = field("platform");
  const listSha256 = field("list-sha256");
  const time = field("time");
  if (!isPlatform(platform)) return fail("platform is not one");
  if (!isHex(listSha256)) return fail("list-sha256 is not one");
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(time)) return fail("time is not one");
  return { platform, number: integer("number"), time, files: integer("files"), bytes: integer("bytes"), listSha256 };
}

/** The text of a list: `<hex> <size>` lines, sorted by hex. The entries must come sorted. */
export function formatList(entries: Iterable<ListEntry>): string {
  let text = "";
  for (const { digest, size } of entries) text += `${hexOf(digest)} ${size}\n`;
  return text;
}

/** The text of a delta: `+<hex> <size>` for what came, `-<hex> <size>` for what went, each sorted. */
export function formatDelta(added: Iterable<ListEntry>, removed: Iterable<ListEntry>): string {
  let text = "";
  for (const { digest, size } of added) text += `+${hexOf(digest)} ${size}\n`;
  for (const { digest, size } of removed) text += `-${hexOf(digest)} ${size}\n`;
  return text;
}

/** Reads a list's text. Throws GENERATION_INVALID with the number of the line that does not hold. */
export function parseList(text: string): ListEntry[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw invalid("list does not end with a newline");
  return lines.map((line, index) => {
    const hex = line.slice(0, 64);
    const size = line.slice(65);
    if (!isHex(hex) || line[64] !== " " || !/^\d{1,15}$/.test(size)) throw invalid(`list, line ${index + 1}`);
    return { digest: fromHex(hex), size: Number(size) };
  });
}

export function sha256Hex(text: string): Hex {
  return createHash("sha256").update(text).digest("hex") as Hex;
}

function invalid(what: string): NearlayerError {
  return new NearlayerError("GENERATION_INVALID", `GENERATION ${what}`);
}

function fail(what: string): never {
  throw invalid(what);
}
