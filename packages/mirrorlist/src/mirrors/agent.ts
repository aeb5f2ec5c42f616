import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { messageOf, systemCode } from "@nearlayer/shared/errors";
import { Agent, type Dispatcher, errors, request } from "undici";
import { parseAddress } from "../selection/client.ts";
import { deadlineIn } from "./deadline.ts";
import { createResolve, lookupBy } from "./resolve.ts";

/** A mirror's URL leads to an address that is not of the public internet, and the operator has not allowed that. */
export class PrivateAddressError extends Error {
  constructor(host: string) {
    super(`${host} is a private or loopback address (allowPrivateAddress allows it)`);
    this.name = "PrivateAddressError";
  }
}

/** How requests to mirrors are made: their URLs are other people's input. Dispose of it to close its connections. */
export interface MirrorAgent extends AsyncDisposable {
  request(url: string, options: MirrorRequest): Promise<Dispatcher.ResponseData>;
}

export interface MirrorRequest {
  readonly method: "GET" | "HEAD";
  /** The whole request, body included, takes no longer. */
  readonly timeoutMs: number;
  readonly allowPrivateAddress: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const USER_AGENT = "nearlayer-mirrorlist";

/** `connections` is to each mirror. No redirect is followed, no body is decompressed, and unless it is allowed no private address is connected to. */
export function createMirrorAgent({
  connections = 16,
  keepAliveTimeout = 10_000,
  resolve = createResolve(),
} = {}): MirrorAgent {
  const limits = { connections, pipelining: 1, keepAliveTimeout, maxHeaderSize: 16_384 };
  const open = new Agent({ ...limits, connect: { lookup: lookupBy(resolve) } });
  const guarded = new Agent({ ...limits, connect: { lookup: lookupBy(resolve, onlyPublic) } });
  return {
    async request(url, { method, timeoutMs, allowPrivateAddress, headers, signal }) {
      if (!allowPrivateAddress) refusePrivateLiteral(url);
      const deadline = deadlineIn(timeoutMs, signal);
      try {
        const response = await request(url, {
          method,
          dispatcher: allowPrivateAddress ? open : guarded,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
          signal: deadline.signal,
          headers: { "user-agent": USER_AGENT, "accept-encoding": "identity", ...headers },
        });
        response.body.once("close", deadline.clear);
        return response;
      } catch (error) {
        deadline.clear();
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([open.destroy(), guarded.destroy()]);
    },
  };
}

export function isPublicAddress(text: string): boolean {
  return parseAddress(text)?.range() === "unicast";
}

/** An address in the URL is connected to without a lookup. */
function refusePrivateLiteral(url: string): void {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new PrivateAddressError(host);
}

/** To public addresses alone: a name can lead anywhere, and elsewhere the next time. */
function onlyPublic(hostname: string, addresses: LookupAddress[]): LookupAddress[] {
  const isPublic = addresses.filter(({ address }) => isPublicAddress(address));
  if (isPublic.length === 0) throw new PrivateAddressError(hostname);
  return isPublic;
}

/** What went wrong in a request to a mirror: a kind for machines, and a clause for people. */
export function describeRequestError(error: unknown): {
  kind: "network" | "timeout" | "private-address";
  message: string;
} {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof PrivateAddressError) return { kind: "private-address", message: current.message };
  }
  const isTimeout =
    (error instanceof DOMException && error.name === "TimeoutError") ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError;
  if (isTimeout) return { kind: "timeout", message: "does not answer in time" };
  const code = systemCode(error);
  if (code === "ECONNREFUSED") return { kind: "network", message: "refuses connections" };
  return { kind: "network", message: messageOf(error) };
}
