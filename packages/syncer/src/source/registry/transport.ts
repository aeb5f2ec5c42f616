import { readFileSync } from "node:fs";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import type { Pour, Take } from "../../pour.ts";
import { connectionError, RequestError } from "./errors.ts";
import type { Pace } from "./pace.ts";
import { isRedirect, redirectOf } from "./redirect.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { createSpeedGuard } from "./speed.ts";
import type { WireAnswer } from "./wire/connection.ts";
import { createWire } from "./wire/wire.ts";

const MAX_REDIRECTS = 5;
/** Up to which length a body that nobody wants is read, to keep the connection, in bytes. */
const MAX_DUMPED_BYTES = 128 * 1024;

export interface Ask {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sent to the host of `url` and to no other, wherever that redirects to. */
  readonly authorization?: string | undefined;
}

/** An answer whose body is to be poured or dumped. */
export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body. Throws a RequestError for what goes wrong in its midst. */
  readonly pour: Pour;
  /** Passes over the body. */
  dump(): Promise<void>;
}

/** Makes requests to a registry and to the hosts that it refers to. */
export interface Transport {
  /** Throws a RequestError when there is no answer; any status is an answer. Redirects of GET and HEAD are followed. */
  ask(ask: Ask): Promise<Answer>;
  close(): Promise<void>;
}

export interface TransportOptions {
  /** How people know the registry, for the messages. */
  readonly name: string;
  /** How long an answer may take to begin, and to go on, in milliseconds. */
  readonly timeout: number;
  /** How many bytes per second a body brings at least, over `speedWindow` milliseconds; by default a minute. */
  readonly minSpeed: number;
  readonly speedWindow?: number;
  /** PEM certificates that are believed beside the system's. */
  readonly authorities: string | undefined;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

export function createTransport(options: TransportOptions): Transport {
  const { name, minSpeed, pace, signal } = options;
  const wire = createWire(options);
  let hasAnswered = false;

  /** The body of an answer, watched over: it must come, and not drip. */
  const watched =
    (pour: Pour): Pour =>
    async (take) => {
      const isTooSlow = createSpeedGuard(minSpeed, options.speedWindow);
      let since = Date.now();
      const begin = () => {
        since = Date.now();
      };
      try {
        await pour((piece) => {
          if (isTooSlow(piece.length, Date.now() - since)) {
            const message = `registry ${name} sends less than ${minSpeed} bytes per second (source.minSpeed)`;
            throw new RequestError("SOURCE_BROKE_OFF", message, { isTransient: true });
          }
          const taking = piece.length === 0 ? undefined : taken(take, piece);
          return taking === undefined ? begin() : taking.then(begin);
        });
      } catch (cause) {
        if (cause instanceof TakeError) throw cause.cause;
        signal.throwIfAborted();
        throw cause instanceof RequestError ? cause : connectionError(cause, name, true);
      }
    };

  async function hop(ask: Ask, url: URL, authorization: string | undefined): Promise<Answer> {
    await pace.ready(url.host);
    signal.throwIfAborted();
    const { method, body } = ask;
    const headers = {
      "user-agent": "nearlayer-syncer",
      ...ask.headers,
      ...(authorization ? { authorization } : {}),
    };
    try {
      const answer = await wire.ask(url, { method, headers, body });
      hasAnswered = true;
      note(url.host, answer);
      return { ...answer, pour: watched(answer.pour), dump: () => dump(answer) };
    } catch (cause) {
      signal.throwIfAborted();
      throw connectionError(cause, url.host === new URL(name).host ? name : url.origin, hasAnswered);
    }
  }

  function note(host: string, { statusCode, headers }: Pick<Answer, "statusCode" | "headers">): void {
    const pause = parseRetryAfter(headerOf(headers, "retry-after"), new Date());
    if (statusCode === 429 || (statusCode === 503 && pause !== undefined)) pace.slowDown(host, pause);
    else if (statusCode < 500) pace.speedUp(host);
  }

  return {
    async ask(ask) {
      let url = ask.url;
      for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
        const answer = await hop(ask, url, url.origin === ask.url.origin ? ask.authorization : undefined);
        if (ask.method === "POST" || !isRedirect(answer.statusCode)) return answer;
        await answer.dump();
        url = redirectOf(answer.statusCode, headerOf(answer.headers, "location"), url);
      }
      throw new RequestError("SOURCE_REFUSED", `registry ${name} redirects more than ${MAX_REDIRECTS} times`, {
        isTransient: false,
      });
    },

    async close() {
      wire.close();
    },
  };
}

/** What whoever takes a body throws is theirs, and nothing that went wrong with the connection. */
class TakeError extends Error {}

function taken(take: Take, piece: Uint8Array): void | Promise<void> {
  const wrap = (cause: unknown) => {
    throw new TakeError("", { cause });
  };
  try {
    return take(piece)?.catch(wrap);
  } catch (cause) {
    return wrap(cause);
  }
}

async function dump({ end, pour, drop }: WireAnswer): Promise<void> {
  if (typeof end === "number" && end > MAX_DUMPED_BYTES) return drop();
  let length = 0;
  const pass = (piece: Uint8Array) => {
    length += piece.length;
    if (length > MAX_DUMPED_BYTES) drop();
  };
  await pour(pass).catch(() => {});
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
