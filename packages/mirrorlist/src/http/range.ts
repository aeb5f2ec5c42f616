/** A part of a file, both ends included, as HTTP counts. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a Range header (RFC 9110, 14.2). `whole` for no header, and for what may be ignored: other units, several
 * ranges, nonsense. `unsatisfiable` when the range begins after the end, of the blob or its own: to ignore the latter is
 * allowed too, but the conformance suite wants it refused.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "whole" | "unsatisfiable" {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) return "whole";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (start >= size || (last !== "" && Number(last) < start)) return "unsatisfiable";
  return { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Does If-None-Match name the entity (RFC 9110, 13.1.2, weak comparison)? */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((item) => {
    const text = item.trim();
    return text === "*" || text.replace(/^W\//, "") === etag;
  });
}
