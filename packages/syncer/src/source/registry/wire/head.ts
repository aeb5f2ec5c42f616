/** Where a body ends: after so many bytes, with its last chunk, or with the connection. */
export type BodyEnd = number | "chunked" | "close";

/** The head of an answer, and how the body below it is to be read. */
export interface Head {
  readonly statusCode: number;
  /** By lower-case name; a header that came more than once is a list. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly end: BodyEnd;
  /** May the connection be used again after the body? */
  readonly isKept: boolean;
}

export type Method = "GET" | "HEAD" | "POST";

/**
 * Reads the head of an answer (RFC 9112, 4 to 6.3), without the empty line that ends it. Undefined where it is no HTTP/1.1
 * that can be relied upon: it names two lengths, say, or a coding that nobody has asked for.
 */
export function parseHead(text: string, method: Method = "GET"): Head | undefined {
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
  const end = endOf(statusCode, headers, method);
  if (end === undefined) return undefined;
  const isKept = status[1] === "1" && !/\bclose\b/i.test(String(headers.connection ?? "")) && end !== "close";
  return { statusCode, headers, end, isKept };
}

function endOf(statusCode: number, headers: Head["headers"], method: Method): BodyEnd | undefined {
  if (method === "HEAD" || statusCode < 200 || statusCode === 204 || statusCode === 304) return 0;
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    return length === undefined && String(coding).toLowerCase() === "chunked" ? "chunked" : undefined;
  }
  if (length === undefined) return "close";
  return typeof length === "string" && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
