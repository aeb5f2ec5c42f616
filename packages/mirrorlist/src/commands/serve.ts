import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { createLogger } from "@nearlayer/shared/log";
import { createApp } from "../http/app.ts";
import { startService } from "../service.ts";

/** How long answers under way may go on after the signal to stop. */
const DRAIN_MS = 10_000;

/** A client that does not get its request out in that time is not one. */
const HEADERS_TIMEOUT_MS = 10_000;

/**
 * Serves until SIGTERM or SIGINT: then no new connection is taken, what is under way is brought to its end, and
 * everything is closed. A second signal ends at once.
 */
export async function serve(config: Config, onListening: (url: string) => void): Promise<void> {
  const log = createLogger("mirrorlist");
  await using service = await startService(config, log);
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 2 * HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 5000 },
    createApp(service.deps).callback(),
  );
  // Longer than a proxy in front keeps idle connections, as a rule, so that it is not we who close them under it.
  server.keepAliveTimeout = 65_000;
  const stopped = untilSignal();
  const url = await listen(server, config.mirrorlist.listen);
  server.on("error", (error) => log.error({ err: error }, "the server met an error"));
  log.info({ url, mirrors: config.mirrors.length, revision: service.deps.snapshot().revision }, "listening");
  onListening(url);
  log.info({ signal: await stopped }, "stopping");
  await close(server);
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  const name = host === "" ? undefined : host;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new NearlayerError("CONFIG_INVALID", `cannot listen on ${host}:${port}: ${messageOf(cause)}`, {
          cause,
          hint: "set mirrorlist.listen to a HOST:PORT of this machine that is free",
        }),
      ),
    );
    server.listen({ port, ...(name === undefined ? {} : { host: name }) }, resolve);
  });
  const { address, family, port: real } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${real}/`;
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // Once: the second signal of its kind does what it does by default.
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(deadline);
}
