import { Agent, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps, Agent as TlsAgent } from "node:https";
import { pourFrom } from "../../pour.ts";
import { ConnectionFault } from "./fault.ts";
import type { Answer, Ask } from "./transport.ts";

export interface PlainOptions {
  readonly concurrency: number;
  /** How long the server may be silent, in milliseconds. */
  readonly timeout: number;
  /** PEM certificates that are believed, where those are not the system's alone. */
  readonly ca?: readonly string[];
}

/** Makes requests of all kinds, with the client that comes with Node. */
export interface Plain {
  ask(url: URL, ask: Pick<Ask, "method" | "body">, headers: Readonly<Record<string, string>>): Promise<Answer>;
  /** Breaks off what is under way. */
  close(): void;
}

export function createPlain({ concurrency, timeout, ca }: PlainOptions): Plain {
  const settings = { keepAlive: true, maxSockets: concurrency, maxFreeSockets: concurrency };
  const agent = new Agent(settings);
  const tlsAgent = new TlsAgent({ ...settings, ...(ca === undefined ? {} : { ca: [...ca] }) });
  const abort = new AbortController();

  const receive = (url: URL, { method = "GET", body }: Pick<Ask, "method" | "body">, headers: Record<string, string>) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const isTls = url.protocol === "https:";
      const request = (isTls ? requestHttps : requestHttp)(url, {
        ...{ method, headers, timeout, agent: isTls ? tlsAgent : agent, signal: abort.signal },
      });
      // However busy the server is with its head: it has to be all there by then.
      const headTimer = setTimeout(() => request.destroy(new ConnectionFault("ANSWER_TIMEOUT")), 2 * timeout);
      let response: IncomingMessage | undefined;
      request.on("timeout", () => {
        const code = request.socket?.connecting ? "CONNECT_TIMEOUT" : "ANSWER_TIMEOUT";
        if (response === undefined) request.destroy(new ConnectionFault(code));
        // Who takes the body can let it wait: then nobody but us is silent.
        else if (!response.isPaused()) response.destroy(new ConnectionFault("BODY_TIMEOUT"));
      });
      request.on("error", reject);
      request.on("close", () => clearTimeout(headTimer));
      request.on("response", (received) => {
        clearTimeout(headTimer);
        response = received;
        resolve(received);
      });
      request.end(body);
    });

  return {
    async ask(url, what, headers) {
      const response = await receive(url, what, { ...headers });
      const { statusCode = 0, headers: received } = response;
      return {
        statusCode,
        headers: received,
        pour: pourFrom(response),
        dump: async () => {
          response.on("error", () => {}).resume();
        },
      };
    },
    close() {
      abort.abort(new ConnectionFault("CLOSED"));
      agent.destroy();
      tlsAgent.destroy();
    },
  };
}
