import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Certificate } from "../process/certificate.ts";
import { freePort } from "../process/ports.ts";

/** What goes wrong with an answer. Bytes are counted from where the body begins. */
export type Fault =
  | { readonly kind: "truncate"; readonly after: number }
  | { readonly kind: "corrupt" }
  | { readonly kind: "stall"; readonly after: number }
  /** The connection is closed without an answer. */
  | { readonly kind: "reset" }
  /** An answer of its own, instead of the registry's. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    };

/** A request as it came in. */
export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** How many requests with this method and path came before. */
  readonly before: number;
}

/** Says what goes wrong with a request, if anything; may do something else first, such as to move a tag. */
export type Faults = (request: SeenRequest) => Fault | undefined | Promise<Fault | undefined>;

/** A proxy in front of a real registry that spoils some of its answers. */
export interface FaultyRegistry extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  /** Everything that was asked, in order. */
  readonly requests: readonly SeenRequest[];
  /** Which requests go wrong from now on. */
  setFaults(faults: Faults): void;
  forget(): void;
}

export interface FaultyRegistryOptions {
  /** The real registry. */
  readonly backend: string;
  readonly faults?: Faults;
  /** Serves over TLS. */
  readonly certificate?: Certificate;
}

export async function startFaultyRegistry(options: FaultyRegistryOptions): Promise<FaultyRegistry> {
  const { backend, certificate } = options;
  let faults: Faults = options.faults ?? (() => undefined);
  let requests: SeenRequest[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "GET", url: path = "/", headers } = request;
    const before = requests.filter((seen) => seen.method === method && seen.path === path).length;
    const seen = { method, path, headers, before };
    requests.push(seen);
    await answer(seen, response, await faults(seen), backend);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void serve(request, response).catch((error) => response.destroy(error));
  const server = certificate ? createTlsServer({ ...certificate }, listener) : createServer(listener);
  const host = `127.0.0.1:${await freePort()}`;
  server.listen(Number(host.split(":")[1]), "127.0.0.1");
  await once(server, "listening");
  return {
    url: `${certificate ? "https" : "http"}://${host}`,
    host,
    get requests() {
      return requests;
    },
    setFaults: (next) => {
      faults = next;
    },
    forget: () => {
      requests = [];
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  { method, path, headers }: SeenRequest,
  response: ServerResponse,
  fault: Fault | undefined,
  backend: string,
): Promise<void> {
  if (fault?.kind === "reset") return void response.destroy();
  if (fault?.kind === "answer") return void response.writeHead(fault.status, fault.headers).end(fault.body);
  const { host: _host, connection: _connection, ...passed } = headers;
  const real = await fetch(`${backend}${path}`, { method, headers: passed as Record<string, string> });
  // What was decoded on the way here is no longer encoded, nor as long.
  const dropped = real.headers.has("content-encoding") ? ["content-encoding", "content-length"] : [];
  for (const [name, value] of real.headers) if (!dropped.includes(name)) response.setHeader(name, value);
  response.writeHead(real.status);
  const body = Buffer.from(await real.arrayBuffer());
  if (fault === undefined || method === "HEAD") return void response.end(body);
  if (fault.kind === "corrupt") {
    const middle = body.length >> 1;
    body[middle] = (body[middle] ?? 0) ^ 0xff;
    return void response.end(body);
  }
  response.write(body.subarray(0, fault.after), () => fault.kind === "truncate" && response.destroy());
}
