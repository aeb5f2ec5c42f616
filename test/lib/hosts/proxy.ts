import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";

/** A forward proxy, so that hosts without a way out reach package registries, and nothing on this machine. */
export interface ForwardProxy extends AsyncDisposable {
  readonly socket: string;
}

/** Listens on a Unix socket: a relay in another network namespace carries connections to it. */
export async function startForwardProxy(socket: string): Promise<ForwardProxy> {
  const server = createServer((incoming, answer) => {
    const url = URL.parse(incoming.url ?? "");
    if (url?.protocol !== "http:" || isLocal(url.hostname)) return void answer.writeHead(403).end();
    const { "proxy-connection": _, ...headers } = incoming.headers;
    const outgoing = request(url, { method: incoming.method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    outgoing.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
    incoming.pipe(outgoing);
  });
  server.on("connect", (incoming, client, head) => {
    const [, host = "", port = ""] = /^([^:]+):(\d+)$/.exec(incoming.url ?? "") ?? [];
    if (host === "" || isLocal(host)) return void client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const way = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      way.write(head);
      client.pipe(way).pipe(client);
    });
    way.on("error", () => client.destroy());
    client.on("error", () => way.destroy());
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    socket,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const isLocal = (host: string) => host === "localhost" || /^(?:127\.|10\.|\[?::1)/.test(host);
