import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** Everything that can be wrong with a mirror that answers its probes well. */
export const faultNames = [
  "refuses",
  "hangs",
  "404",
  "403",
  "500",
  "503",
  "truncates",
  "resets",
  "short file",
  "zeros at the end",
  "wrong bytes",
  "adds Content-Encoding",
  "compresses",
  "ignores Range",
] as const;

export type FaultName = (typeof faultNames)[number];

/** A request for a blob, and how the mirror would answer it if it were well. */
export interface BlobRequest {
  readonly content: Buffer;
  /** The Range header, or empty. */
  readonly range: string;
  readonly acceptsGzip: boolean;
  /** How often clients have asked for this blob before. */
  readonly before: number;
  readonly response: ServerResponse;
}

/** How a mirror with a fault answers for a blob. `refuses` is not among them: it does not get as far. */
export const faults: Readonly<Record<Exclude<FaultName, "refuses">, (request: BlobRequest) => void | Promise<void>>> = {
  hangs: () => undefined,
  "404": ({ response }) => void response.writeHead(404).end("not found\n"),
  "403": ({ response }) => void response.writeHead(403).end("forbidden\n"),
  "500": ({ response }) => void response.writeHead(500).end("error\n"),
  "503": ({ response }) => void response.writeHead(503).end("busy\n"),
  truncates: (request) => breakOff(request, "end"),
  resets: (request) => breakOff(request, "reset"),
  "short file": (request) => answer({ ...request, content: half(request.content) }),
  "zeros at the end": (request) => answer({ ...request, content: zeroed(request.content) }),
  "wrong bytes": (request) => answer({ ...request, content: flipped(request.content) }),
  "adds Content-Encoding": (request) => answer(request, { "content-encoding": "gzip" }),
  compresses: (request) =>
    // As nginx does it: for who accepts it, and for whole files alone.
    request.acceptsGzip && request.range === ""
      ? answer({ ...request, content: gzipSync(request.content) }, { "content-encoding": "gzip" })
      : answer(request),
  // Who begins at the beginning would not notice; so the first one is made to begin again.
  "ignores Range": (request) =>
    request.before === 0 && request.range === ""
      ? breakOff(request, "end")
      : answer({ ...request, range: "" }, { "accept-ranges": "none" }),
};

/** The answer of a mirror that is well: the blob, or the part of it that was asked for. */
export function answer({ content, range, response }: BlobRequest, headers: Record<string, string> = {}): void {
  const part = partOf(content, range);
  if (part === undefined) {
    response.writeHead(416, { "content-range": `bytes */${content.length}`, "content-length": 0 }).end();
    return;
  }
  const { status, body, contentRange } = part;
  response.writeHead(status, {
    "content-length": body.length,
    ...(contentRange === undefined ? {} : { "content-range": contentRange }),
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Promises everything, sends half of it, and is gone. */
async function breakOff({ content, range, response }: BlobRequest, how: "end" | "reset"): Promise<void> {
  const { status, body, contentRange } = partOf(content, range) ?? { status: 200, body: content };
  response.writeHead(status, {
    "content-length": body.length,
    ...(contentRange === undefined ? {} : { "content-range": contentRange }),
  });
  if (response.req.method === "HEAD") {
    response.end();
    return;
  }
  await new Promise<void>((resolve) => response.write(half(body), () => resolve()));
  // A reset overtakes what was sent just before it.
  await sleep(100);
  if (how === "end") response.socket?.end();
  else response.socket?.resetAndDestroy();
}

interface Part {
  readonly status: number;
  readonly body: Buffer;
  readonly contentRange?: string;
}

function partOf(content: Buffer, range: string): Part | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  if (first === undefined) return { status: 200, body: content };
  const [start, end] = [Number(first), last ? Math.min(Number(last), content.length - 1) : content.length - 1];
  if (start >= content.length) return undefined;
  const contentRange = `bytes ${start}-${end}/${content.length}`;
  return { status: 206, body: content.subarray(start, end + 1), contentRange };
}

const half = (content: Buffer) => content.subarray(0, Math.floor(content.length / 2));

/** What a crash leaves of a file whose name and size were on disk before its content. */
const zeroed = (content: Buffer) => Buffer.concat([half(content), Buffer.alloc(content.length - half(content).length)]);

/** One bit in the middle: nothing but the digest of the whole shows it. */
function flipped(content: Buffer): Buffer {
  const copy = Buffer.from(content);
  const middle = Math.floor(copy.length / 2);
  copy.writeUInt8(copy.readUInt8(middle) ^ 1, middle);
  return copy;
}
