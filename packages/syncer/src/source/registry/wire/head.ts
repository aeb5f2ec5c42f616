/** The head of an answer, and how the body below it is to be read. */
export interface Head {
  readonly statusCode: number;
  /** By lower-case name; a header that came more than once is a list. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** The length of the body in bytes; undefined when it cannot be known before its end. */
  readonly length: number | undefined;
  /** May the connection be used again after the body? */
  readonly isKept: boolean;
}

/**
 * Reads the head of an answer to a GET (RFC 9112, 4 to 6.3), without the empty line that ends it. Undefined where it is
 * no HTTP/1.1 that can be relied upon, or names two lengths.
 */
export function parseHead(text: string): Head | undefined {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(statusLine);
  if (status === null) return undefined;
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) return undefined;
    const [, name = "", value = ""] = field;
    const key = name.toLowerCase();
    const before = headers[key];
    headers[key] = before === undefined ? value : [before, value].flat();
  }
  const statusCode = Number(status[2]);
  const length = lengthOf(statusCode, headers);
  if (length === "wrong") return undefined;
  const isKept = status[1] === "1" && !/\bclose\b/i.test(String(headers.connection ?? "")) && length !== undefined;
  return { statusCode, headers, length, isKept };
}

function lengthOf(statusCode: number, headers: Head["headers"]): number | undefined | "wrong" {
  if (statusCode < 200 || statusCode === 204 || statusCode === 304) return 0;
  const length = headers["content-length"];
  if (headers["transfer-encoding"] !== undefined || length === undefined) return undefined;
  return typeof length === "string" && /^\d{1,15}$/.test(length) ? Number(length) : "wrong";
}
