import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";

/** What listens for webhooks and monitoring. Disposed of, it takes no more, and ends what is under way in order. */
export interface HttpServer extends AsyncDisposable {
  /** `http://HOST:PORT`, with the port that it really has. */
  readonly url: string;
}

/** Each may hold a body in memory. */
const MAX_CONNECTIONS = 100;

/** Milliseconds: for a request's head, for all of it, for the next on the same connection, and for the end of all. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000 };
const DRAIN_MS = 3_000;

/** Throws CONFIG_INVALID when the address cannot be had. */
export async function startHttp(
  answer: RequestListener,
  at: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  const server = createServer({ ...LIMITS, connectionsCheckingInterval: 5_000, keepAlive: true }, answer);
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.host, resolve);
  }).catch((cause: unknown) => {
    const message = `events.listen ${at.host}:${at.port}: cannot be had: ${messageOf(cause)}`;
    throw new NearlayerError("CONFIG_INVALID", message, { cause, hint: "is `syncer listen` running already?" });
  });
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearTimeout(deadline);
    },
  };
}
