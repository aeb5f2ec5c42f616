import { once } from "node:events";
import { createServer, type IncomingMessage, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

/** What the mirror list answered to a client. */
export interface EdgeRequest {
  readonly method: string;
  readonly uri: string;
  /** The Range header, or empty. */
  readonly range: string;
  readonly status: number;
}

/** A way to the mirror list on which a client's address depends on the repository that it asks for. */
export interface ClientEdge extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: readonly EdgeRequest[];
}

export async function startClientEdge(
  backend: string,
  addressOf: (uri: string) => string | undefined,
): Promise<ClientEdge> {
  const requests: EdgeRequest[] = [];
  const target = new URL(backend);
  const server = createServer((incoming, outgoing) => {
    const { method = "", url: uri = "/", headers } = incoming;
    const address = addressOf(uri);
    const onward = send({
      ...{ host: target.hostname, port: target.port, method, path: uri },
      headers: { ...headers, ...(address === undefined ? {} : { "x-forwarded-for": address }) },
    });
    onward.on("response", (response: IncomingMessage) => {
      const { statusCode: status = 0 } = response;
      requests.push({ method, uri, range: headers.range ?? "", status });
      outgoing.writeHead(status, response.headers);
      pipeline(response, outgoing).catch(() => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    onward.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
