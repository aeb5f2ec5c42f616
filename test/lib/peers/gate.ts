import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that went through. */
export interface GateRequest {
  readonly path: string;
  readonly range: string | undefined;
}

/** A proxy before a registry that can hold back what it answers to blobs, so that a test can act in the middle of it. */
export interface Gate extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly requests: readonly GateRequest[];
  /** From now on, a blob's answer stops after so many bytes of its body. */
  holdBlobsAfter(bytes: number): void;
  /** Resolves when an answer has come to that point. */
  readonly held: Promise<void>;
  /** Lets everything through, and what was held. */
  open(): void;
}

export async function startGate(backend: string): Promise<Gate> {
  const requests: GateRequest[] = [];
  const held = Promise.withResolvers<void>();
  const waiting = new Set<() => void>();
  let limit = Number.POSITIVE_INFINITY;

  async function forward(incoming: IncomingMessage, answer: ServerResponse) {
    const path = incoming.url ?? "/";
    requests.push({ path, range: incoming.headers.range });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const asked = request(new URL(path, backend), { method: incoming.method, headers: incoming.headers }, resolve);
    asked.on("error", reject).end();
    const response = await promise;
    answer.writeHead(response.statusCode ?? 502, response.headers);
    let left = path.includes("/blobs/") ? limit : Number.POSITIVE_INFINITY;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      answer.write(chunk.subarray(0, left));
      if (chunk.length > left) {
        held.resolve();
        await new Promise<void>((go) => waiting.add(go));
        answer.write(chunk.subarray(left));
        left = Number.POSITIVE_INFINITY;
      }
      left -= chunk.length;
    }
    answer.end();
  }

  const server = createServer((incoming, answer) => {
    forward(incoming, answer).catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const open = () => {
    limit = Number.POSITIVE_INFINITY;
    for (const go of waiting) go();
    waiting.clear();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    held: held.promise,
    holdBlobsAfter(bytes) {
      limit = bytes;
    },
    open,
    async [Symbol.asyncDispose]() {
      open();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
