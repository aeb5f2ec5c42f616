import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

/** A way to a server that can be held up: a slow network, for as long as a test needs it. */
export interface TcpGate extends AsyncDisposable {
  readonly port: number;
  /** What went through so far, both ways together. */
  bytes(): number;
  /** From now on, a connection after so many others waits. */
  holdAfter(connections: number): void;
  /** Resolves when a connection waits. */
  readonly held: Promise<void>;
  /** Lets everything through, and what was held. */
  open(): void;
}

export async function startTcpGate(backendPort: number): Promise<TcpGate> {
  const held = Promise.withResolvers<void>();
  let opened = Promise.withResolvers<void>();
  let left = Number.POSITIVE_INFINITY;
  let bytes = 0;
  const count = (data: Buffer) => {
    bytes += data.length;
  };
  const server = createServer((client) => {
    const backend = connect(backendPort, "127.0.0.1");
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
    client.pause();
    const go = () => {
      client.on("data", count).pipe(backend);
      backend.on("data", count).pipe(client);
    };
    left -= 1;
    if (left >= 0) return go();
    held.resolve();
    void opened.promise.then(go);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    bytes: () => bytes,
    port: (server.address() as AddressInfo).port,
    holdAfter(connections) {
      left = connections;
      opened = Promise.withResolvers();
    },
    held: held.promise,
    open() {
      left = Number.POSITIVE_INFINITY;
      opened.resolve();
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
