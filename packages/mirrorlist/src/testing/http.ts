import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { pubDir } from "@nearlayer/shared/tree";
import { parseRange } from "../http/range.ts";

/** A server of a test on a free port of this machine. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

export async function listen(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a path exactly as it stands, which `fetch` would not: no `..` resolved, no redirect followed. */
export async function send(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  body?: string | Buffer,
): Promise<TestResponse> {
  const outgoing = request({ host: "127.0.0.1", port, path, headers, method, agent: false }).end(body);
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/** A mirror: what `pub/` holds, over HTTP, with a log of what was asked for. */
export interface TestMirror extends TestServer {
  readonly requests: string[];
  /** Answers instead of the files, until it is taken away; false lets the files answer. */
  fault: ((...parameters: Parameters<RequestListener>) => boolean) | undefined;
}

export async function startMirror(root: string): Promise<TestMirror> {
  const requests: string[] = [];
  const server = await listen(async (incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    if (mirror.fault?.(incoming, response)) return;
    const content = await readFile(join(pubDir(root), normalize(incoming.url ?? "/"))).catch(() => undefined);
    const range = content && parseRange(incoming.headers.range, content.length);
    const part = typeof range === "object" ? content?.subarray(range.start, range.end + 1) : content;
    response.statusCode = content === undefined ? 404 : typeof range === "object" ? 206 : 200;
    if (typeof range === "object") {
      response.setHeader("content-range", `bytes ${range.start}-${range.end}/${content?.length}`);
    }
    response.setHeader("content-length", part?.length ?? 0);
    response.end(incoming.method === "HEAD" ? undefined : part);
  });
  const mirror: TestMirror = { ...server, requests, fault: undefined };
  return mirror;
}
