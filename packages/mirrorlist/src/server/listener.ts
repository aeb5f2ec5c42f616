import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import { trackConnections } from "./connections.ts";
import { answerMalformed, refuse, sendFault } from "./malformed.ts";
import type { KeyPair } from "./tls.ts";

export type Limits = Config["mirrorlist"]["limits"];

/** What listens on one address. */
export interface Listener {
  /** With the port that it really has, and a slash at its end. */
  readonly url: string;
  connections(): number;
  /** New connections get the certificate; those that are there stay as they are. */
  setKeyPair(pair: KeyPair): void;
  setLimits(limits: Limits): void;
  /** Takes no new connection, ends what is under way in order, and what is not over in time as it stands. */
  drain(timeoutMs: number): Promise<void>;
}

export interface ListenerOptions {
  readonly at: { readonly host: string; readonly port: number };
  /** The key of the configuration that says so, for errors. */
  readonly setting: string;
  readonly pair?: KeyPair;
  readonly limits: Limits;
  readonly answer: RequestListener;
  readonly onEvicted: () => void;
  readonly log: Logger;
}

/** Binds the address and answers there. Throws CONFIG_INVALID when it cannot. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { at, setting, pair, answer, onEvicted, log } = options;
  let { limits } = options;
  const server = pair === undefined ? createServer(httpOptions()) : createTlsServer(tlsOptions(pair));
  const connections = trackConnections(server, () => limits.connections, onEvicted);
  applyLimits(server, limits);
  server.on("request", (request, response) => {
    if (!refuse(request, response)) answer(request, response);
  });
  // The answer is known without the body: the client is told to keep it.
  server.on("checkContinue", (request, response) => {
    response.shouldKeepAlive = false;
    if (!refuse(request, response)) answer(request, response);
  });
  server.on("checkExpectation", (_, response) => sendFault(response, 417, "nothing but 100-continue can be expected"));
  server.on("clientError", (error, socket) => answerMalformed(error, socket as never, connections));
  await bind(server, at, setting);
  server.on("error", (error) => log.error({ err: error, setting }, "a listener met an error"));
  return {
    url: urlOf(server, pair === undefined ? "http" : "https"),
    connections: () => connections.size,
    setKeyPair: (next) => (server as TlsServer).setSecureContext(contextOf(next)),
    setLimits(next) {
      limits = next;
      applyLimits(server, next);
    },
    async drain(timeoutMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.drain();
      const deadline = setTimeout(() => connections.destroy(), timeoutMs);
      await closed;
      clearTimeout(deadline);
    },
  };
}

/** Below Node's own 16 KB: what names 255 characters and lists a few types fits many times over. */
const MAX_HEADER_BYTES = 16_384;

function httpOptions(): ServerOptions {
  // A missing Host is answered here, with the specification's JSON.
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false,
    connectionsCheckingInterval: 1000,
    // A GET without a body needs no stream that is read to its end: a tenth of what Node does for a request.
    optimizeEmptyRequests: true,
  };
}

const contextOf = ({ cert, key }: KeyPair) => ({ cert, key, minVersion: "TLSv1.2" }) as const;

function tlsOptions(pair: KeyPair) {
  return { ...httpOptions(), ...contextOf(pair), handshakeTimeout: 10_000 };
}

/** Node looks at these at each request, so that they can be changed under way. */
function applyLimits(server: Server, { headersTimeout, requestTimeout, keepAliveTimeout, stallTimeout }: Limits): void {
  server.headersTimeout = Math.min(headersTimeout, requestTimeout);
  server.requestTimeout = requestTimeout;
  server.keepAliveTimeout = keepAliveTimeout;
  server.timeout = stallTimeout;
}

async function bind(server: Server, { host, port }: ListenerOptions["at"], setting: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new NearlayerError("CONFIG_INVALID", `cannot listen on ${host}:${port}: ${messageOf(cause)}`, {
          cause,
          hint: `set ${setting} to a HOST:PORT of this machine that is free`,
        }),
      ),
    );
    server.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
  });
}

function urlOf(server: Server, scheme: "http" | "https"): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}/`;
}
