import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { answer, type FaultName, faults } from "./faults.ts";

/** From when on a mirror has its fault: always, or only once the mirror list has looked at the blob. */
export type Phase = "before the look" | "after the look";

export interface Fault {
  readonly name: FaultName;
  readonly phase: Phase;
}

/** A request of a client, without the mirror list's own. */
export interface ClientRequest {
  readonly method: string;
  readonly uri: string;
  /** The Range header, or empty. */
  readonly range: string;
  readonly acceptEncoding: string;
  readonly agent: string;
}

/** A mirror that serves a folder truthfully, but for a fault with blobs: probes of its GENERATION see nothing of it. */
export interface FaultyMirror extends AsyncDisposable {
  readonly url: string;
  /** What clients have asked it for; empty when they were kept away from it. */
  readonly requests: readonly ClientRequest[];
  /** From now on it has its fault. */
  fail(fault: Fault): void;
}

/** How the mirror list names itself to mirrors. */
const isLook = (request: IncomingMessage) => request.headers["user-agent"]?.startsWith("nearlayer") === true;

export async function startFaultyMirror(root: string): Promise<FaultyMirror> {
  const requests: ClientRequest[] = [];
  const before = new Map<string, number>();
  let fault: Fault | undefined;
  const server = createServer((request, response) => {
    // A client that was cut off is no concern of the test's.
    response.on("error", () => undefined);
    void serve(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const uri = request.url ?? "/";
    const { range = "", "accept-encoding": acceptEncoding = "", "user-agent": agent = "" } = request.headers;
    const isBlob = uri.includes("/blobs/");
    if (isBlob && !isLook(request)) {
      requests.push({ method: request.method ?? "", uri, range, acceptEncoding: String(acceptEncoding), agent });
    }
    const content = await readFile(join(root, normalize(uri))).catch(() => undefined);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const asked = before.get(uri) ?? 0;
    if (!isLook(request)) before.set(uri, asked + 1);
    const acceptsGzip = String(acceptEncoding).includes("gzip");
    const blob = { content, range, acceptsGzip, before: asked, response };
    if (fault === undefined || !isBlob) return answer(blob);
    if (fault.phase === "after the look" && isLook(request)) {
      if (fault.name === "refuses") response.once("finish", () => server.close());
      return answer(blob);
    }
    // Whoever was connected before it began to refuse.
    if (fault.name === "refuses") request.socket.destroy();
    else await faults[fault.name](blob);
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    fail(next) {
      fault = next;
      if (next.name === "refuses" && next.phase === "before the look") server.close();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
