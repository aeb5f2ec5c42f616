import type { IncomingMessage } from "node:http";
import { parseAddress } from "../selection/client.ts";
import { type Address, contains, type Netblock } from "../selection/netblock.ts";

/** Who is at the other end of a request, and under which URL we are known there. */
export interface Forwarded {
  readonly address: Address;
  readonly scheme: "http" | "https";
  /** `host` or `host:port` as the client named it; undefined when it named none that can be one. */
  readonly host: string | undefined;
}

const UNSPECIFIED = parseAddress("0.0.0.0");
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** `192.0.2.1:1234` and `[2001:db8::1]:1234`, as some proxies write it. */
const WITH_PORT = /^(?:\[([0-9a-fA-F:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;

/**
 * Reads the connection and, as far as trusted proxies vouch for them, the `X-Forwarded-` headers. The list of
 * addresses is read from right to left: each proxy appends whom it saw, and the first that is not a trusted proxy is
 * the client. What stands left of it is the client's own claim.
 */
export function readForwarded(request: IncomingMessage, trusted: readonly Netblock[]): Forwarded {
  const isTrusted = (address: Address) => trusted.some((netblock) => contains(netblock, address));
  const peer = parseAddress(request.socket.remoteAddress ?? "") ?? UNSPECIFIED;
  if (peer === undefined) throw new Error("0.0.0.0 is an address");
  const isEncrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  if (!isTrusted(peer)) {
    return { address: peer, scheme: isEncrypted ? "https" : "http", host: hostOf(request.headers.host) };
  }
  const scheme = lastOf(request.headers["x-forwarded-proto"])?.toLowerCase();
  return {
    address: clientAddress(peer, request.headers["x-forwarded-for"], isTrusted),
    scheme: scheme === "https" || (scheme === undefined && isEncrypted) ? "https" : "http",
    host: hostOf(lastOf(request.headers["x-forwarded-host"]) ?? request.headers.host),
  };
}

function clientAddress(
  peer: Address,
  header: string | string[] | undefined,
  isTrusted: (address: Address) => boolean,
): Address {
  let client = peer;
  for (const text of fromTheRight(header)) {
    const address = parseAddress(text) ?? parseWithPort(text);
    // Not an address: the last one that was vouched for is all that is known.
    if (address === undefined) return client;
    client = address;
    if (!isTrusted(address)) return client;
  }
  return client;
}

function parseWithPort(text: string): Address | undefined {
  const match = WITH_PORT.exec(text);
  return match === null ? undefined : parseAddress(match[1] ?? match[2] ?? "");
}

/** The items of a list, the last one first. Node joins repeated headers of this kind with a comma. */
function fromTheRight(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const text = Array.isArray(header) ? header.join(",") : header;
  const items = text.split(",").map((item) => item.trim());
  return items.filter((item) => item !== "").reverse();
}

const lastOf = (header: string | string[] | undefined): string | undefined => fromTheRight(header)[0];

const hostOf = (text: string | undefined): string | undefined =>
  text !== undefined && text.length <= 255 && HOST.test(text) ? text.toLowerCase() : undefined;
