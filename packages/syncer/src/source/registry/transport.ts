import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { Agent, type Dispatcher, request } from "undici";
import { connectionError, RequestError } from "./errors.ts";
import type { Pace } from "./pace.ts";
import { isRedirect, redirectOf } from "./redirect.ts";
import { parseRetryAfter } from "./retry-after.ts";

const MAX_REDIRECTS = 5;

export interface Ask {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sent to the host of `url` and to no other, wherever that redirects to. */
  readonly authorization?: string | undefined;
}

export type Answer = Dispatcher.ResponseData;

/** Makes requests to a registry and to the hosts that it refers to. Bodies must be read or dumped. */
export interface Transport {
  /** Throws a RequestError when there is no answer; any status is an answer. Redirects of GET and HEAD are followed. */
  ask(ask: Ask): Promise<Answer>;
  /** The same bytes, with what goes wrong in their midst told as a RequestError. */
  bodyOf(answer: Answer): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface TransportOptions {
  /** How people know the registry, for the messages. */
  readonly name: string;
  readonly concurrency: number;
  /** How long an answer may take to begin, and to go on, in milliseconds. */
  readonly timeout: number;
  /** PEM certificates that are believed beside the system's. */
  readonly authorities: string | undefined;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

export function createTransport(options: TransportOptions): Transport {
  const { name, timeout, pace, signal, authorities } = options;
  const agent = new Agent({
    connections: options.concurrency,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    connect: {
      timeout,
      ...(authorities === undefined ? {} : { ca: [...getCACertificates("default"), authorities] }),
    },
  });
  let hasAnswered = false;

  async function hop({ url, method = "GET", headers, body }: Ask, authorization: string | undefined): Promise<Answer> {
    await pace.ready(url.host);
    try {
      const answer = await request(url, {
        dispatcher: agent,
        method,
        signal,
        headers: { "user-agent": "nearlayer-syncer", ...headers, ...(authorization ? { authorization } : {}) },
        ...(body === undefined ? {} : { body }),
      });
      hasAnswered = true;
      note(url.host, answer);
      return answer;
    } catch (cause) {
      signal.throwIfAborted();
      throw connectionError(cause, url.host === new URL(name).host ? name : url.origin, hasAnswered);
    }
  }

  function note(host: string, { statusCode, headers }: Answer): void {
    const pause = parseRetryAfter(headerOf(headers, "retry-after"), new Date());
    if (statusCode === 429 || (statusCode === 503 && pause !== undefined)) pace.slowDown(host, pause);
    else if (statusCode < 500) pace.speedUp(host);
  }

  return {
    async ask(ask) {
      let url = ask.url;
      for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
        const answer = await hop({ ...ask, url }, url.origin === ask.url.origin ? ask.authorization : undefined);
        if (ask.method === "POST" || !isRedirect(answer.statusCode)) return answer;
        await answer.body.dump();
        url = redirectOf(answer.statusCode, headerOf(answer.headers, "location"), url);
      }
      throw new RequestError("SOURCE_REFUSED", `registry ${name} redirects more than ${MAX_REDIRECTS} times`, {
        isTransient: false,
      });
    },

    async *bodyOf({ body }) {
      try {
        for await (const chunk of body) yield chunk as Uint8Array;
      } catch (cause) {
        signal.throwIfAborted();
        throw connectionError(cause, name, true);
      }
    },

    close: () => agent.destroy(),
  };
}

/** The first value of a header. */
export function headerOf(headers: Answer["headers"], name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** The certificates in a PEM file. Throws CONFIG_INVALID. */
export function readAuthorities(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `source.ca ${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new NearlayerError("CONFIG_INVALID", `source.ca ${file}: no PEM certificate in it`);
}
