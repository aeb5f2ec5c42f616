/** What a look at a blob on a mirror has shown. */
export type Verdict =
  /** `hasRanges`: it can go on with a blob that broke off elsewhere. */
  | { readonly ok: true; readonly hasRanges: boolean }
  /** `fault` is there when the mirror has answered. */
  | { readonly ok: false; readonly reason: string; readonly fault?: Fault };

/** What is wrong with a blob on a mirror that answers. */
export type Fault =
  | "bytes" // they are others
  | "length" // it has more or fewer
  | "encoding" // it says that they are encoded
  | "range" // it sends another part than it was asked for, or does not say which
  | "broken" // it ends before its end
  | "missing" // it is not there
  | "status"; // any other answer: forbidden, an error, a redirect

/** What a mirror answered when it was asked for a part of a blob. */
export interface Shown {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body of a 206. */
  readonly bytes?: Uint8Array;
}

/** A part of a blob, both ends included. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/** How many bytes are asked for: in a gzip the checksum of everything before is among its last eight. */
export const TAIL_BYTES = 64;

/** Where the last bytes of a blob are. */
export function tailOf(size: number): Part {
  return { start: Math.max(0, size - TAIL_BYTES), end: Math.max(0, size - 1) };
}

/** Judges an answer by the blob's size and, where they are at hand, our own bytes of the part. */
export function judge(
  { status, headers, bytes }: Shown,
  size: number,
  own: Uint8Array | undefined,
  { start, end }: Part = tailOf(size),
): Verdict {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return bad("encoding", `adds Content-Encoding: ${encoding}`);
  const range = headers["content-range"];
  switch (status) {
    case 200: {
      // The whole blob, for it takes no notice of Range: good enough for who begins at the beginning.
      const length = headers["content-length"];
      return length === String(size) ? { ok: true, hasRanges: false } : otherSize(length, size);
    }
    case 206: {
      if (range !== `bytes ${start}-${end}/${size}`) return otherSize(totalOf(range), size);
      if (bytes?.length !== end - start + 1) return bad("broken", "breaks off");
      if (own !== undefined && Buffer.compare(bytes, own) !== 0) return bad("bytes", "has other bytes");
      return { ok: true, hasRanges: true };
    }
    case 416:
      return otherSize(totalOf(range), size);
    default:
      return bad(status === 404 || status === 410 ? "missing" : "status", `answers ${status} for the blob`);
  }
}

const bad = (fault: Fault, reason: string): Verdict => ({ ok: false, fault, reason });

function otherSize(shown: string | string[] | undefined, size: number): Verdict {
  if (shown === String(size)) return bad("range", "answers with another range");
  return shown === undefined
    ? bad("range", `has an unknown number of bytes of ${size}`)
    : bad("length", `has ${shown} bytes of ${size}`);
}

const totalOf = (range: string | string[] | undefined) => /\/(\d+)$/.exec(String(range))?.[1];
