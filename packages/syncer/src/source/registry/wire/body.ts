import type { BodyEnd } from "./head.ts";

/** What is a body among the bytes that come over a connection. */
export interface Body {
  /** Has all of it come? What comes after that is not its. */
  readonly isDone: boolean;
  /** Takes from the beginning of `bytes` some of the body, or what stands between its chunks. Undefined where that is wrong. */
  next(bytes: Uint8Array): Taken | undefined;
}

export interface Taken {
  readonly piece: Uint8Array;
  readonly rest: Uint8Array;
}

/** How long a line between chunks, and all trailers together, may be, in bytes. */
const MAX_LINE = 1024;
const MAX_TRAILERS = 16 * 1024;

const NOTHING = new Uint8Array();

/** A body that ends there. One that ends with its connection is never done. */
export function readBody(end: BodyEnd): Body {
  return end === "chunked" ? readChunks() : readSized(end === "close" ? Number.POSITIVE_INFINITY : end);
}

function readSized(size: number): Body {
  let left = size;
  return {
    get isDone() {
      return left === 0;
    },
    next(bytes) {
      // More than was announced: whose bytes are those?
      if (bytes.length > left) return undefined;
      left -= bytes.length;
      return { piece: bytes, rest: NOTHING };
    },
  };
}

/** RFC 9112, 7.1: each chunk has its size before it, in hexadecimal digits; the last one has none, and trailers after it. */
function readChunks(): Body {
  let left = 0;
  let line = "";
  let expected: "size" | "end of chunk" | "trailer" | "nothing" = "size";
  let trailers = 0;

  function takeLine(): boolean {
    switch (expected) {
      case "size": {
        const size = /^([0-9a-f]{1,12})(?:[ \t]*;.*)?\r\n$/i.exec(line)?.[1];
        if (size === undefined) return false;
        left = Number.parseInt(size, 16);
        expected = left === 0 ? "trailer" : "end of chunk";
        return true;
      }
      case "end of chunk":
        expected = "size";
        return line === "\r\n";
      case "trailer":
        trailers += line.length;
        if (line === "\r\n") expected = "nothing";
        return trailers <= MAX_TRAILERS;
      default:
        return false;
    }
  }

  return {
    get isDone() {
      return expected === "nothing";
    },
    next(bytes) {
      if (expected === "nothing") return undefined;
      if (left > 0) {
        const piece = bytes.subarray(0, left);
        left -= piece.length;
        return { piece, rest: bytes.subarray(piece.length) };
      }
      const end = bytes.indexOf(0x0a) + 1;
      line += Buffer.from(end === 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
      if (line.length > MAX_LINE) return undefined;
      if (end === 0) return { piece: NOTHING, rest: NOTHING };
      if (!takeLine()) return undefined;
      line = "";
      return { piece: NOTHING, rest: bytes.subarray(end) };
    },
  };
}
