/** What a look at a blob on a mirror has shown. */
export type Verdict =
  /** `hasRanges`: it can go on with a blob that broke off elsewhere. */
  { readonly ok: true; readonly hasRanges: boolean } | { readonly ok: false; readonly reason: string };

/** What a mirror answered when it was asked for the last bytes of a blob. */
export interface Shown {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body of a 206. */
  readonly bytes?: Uint8Array;
}

/** How many bytes are asked for: in a gzip the checksum of everything before is among its last eight. */
export const TAIL_BYTES = 64;

/** Where the last bytes of a blob are, both ends included. */
export function tailOf(size: number): { readonly start: number; readonly end: number } {
  return { start: Math.max(0, size - TAIL_BYTES), end: Math.max(0, size - 1) };
}

/** Judges an answer by the blob's size and, where they are at hand, its own last bytes. */
export function judge({ status, headers, bytes }: Shown, size: number, own: Uint8Array | undefined): Verdict {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return bad(`adds Content-Encoding: ${encoding}`);
  const range = headers["content-range"];
  switch (status) {
    case 200: {
      // The whole blob, for it takes no notice of Range: good enough for who begins at the beginning.
      const length = headers["content-length"];
      return length === String(size) ? { ok: true, hasRanges: false } : otherSize(length, size);
    }
    case 206: {
      const { start, end } = tailOf(size);
      if (range !== `bytes ${start}-${end}/${size}`) return otherSize(totalOf(range), size);
      if (bytes?.length !== end - start + 1) return bad("breaks off");
      if (own !== undefined && Buffer.compare(bytes, own) !== 0) return bad("has other bytes");
      return { ok: true, hasRanges: true };
    }
    case 416:
      return otherSize(totalOf(range), size);
    default:
      return bad(`answers ${status} for the blob`);
  }
}

const bad = (reason: string): Verdict => ({ ok: false, reason });

const otherSize = (shown: string | string[] | undefined, size: number) =>
  bad(
    shown === String(size) ? "answers with another range" : `has ${shown ?? "an unknown number of"} bytes of ${size}`,
  );

const totalOf = (range: string | string[] | undefined) => /\/(\d+)$/.exec(String(range))?.[1];
