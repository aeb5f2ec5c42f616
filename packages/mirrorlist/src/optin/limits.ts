import ipaddr from "ipaddr.js";
import { parseAddress } from "../selection/client.ts";
import { parseNetblock } from "../selection/netblock.ts";

/** What the operator allows of those who opt in. */
export interface Rules {
  /** Private and loopback addresses, and names that only a closed network knows. */
  readonly allowPrivateAddress: boolean;
  /** The host that clients reach the mirror list by, where that is configured. */
  readonly ownHost?: string;
}

/** How long a prefix must be that a mirror claims for itself: a network of its own, and no continent. */
const SHORTEST_PREFIX = { ipv4: 16, ipv6: 32 } as const;

/** Why a mirror cannot claim a netblock (CIDR) for itself, or undefined when it can. */
export function problemOfNetblock(text: string, { allowPrivateAddress }: Rules): string | undefined {
  const { base, bits } = parseNetblock(text);
  const shortest = SHORTEST_PREFIX[base.kind()];
  if (bits < shortest) return `larger than a mirror may claim: /${shortest} or longer, please`;
  if (base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress()) return "an IPv4 netblock: write it as one";
  if (!allowPrivateAddress && base.range() !== "unicast")
    return `no clients come from there (${base.range()} addresses)`;
  return undefined;
}

/** AS numbers that are nobody's (IANA, "Autonomous System (AS) Numbers", special-purpose and reserved), first and last. */
const RESERVED_ASNS: readonly (readonly [number, number, string])[] = [
  [0, 0, "reserved, RFC 7607"],
  [23_456, 23_456, "AS_TRANS, RFC 6793"],
  [64_496, 64_511, "for documentation, RFC 5398"],
  [64_512, 65_534, "private, RFC 6996"],
  [65_535, 65_535, "reserved, RFC 7300"],
  [65_536, 65_551, "for documentation, RFC 5398"],
  [65_552, 131_071, "reserved"],
  [4_200_000_000, 4_294_967_294, "private, RFC 6996"],
  [4_294_967_295, 4_294_967_295, "reserved, RFC 7300"],
];

/** Why a mirror cannot be in an autonomous system, or undefined when it can. */
export function problemOfAsn(asn: number): string | undefined {
  const reserved = RESERVED_ASNS.find(([first, last]) => asn >= first && asn <= last);
  return reserved && `AS${asn} is nobody's (${reserved[2]})`;
}

/** Names that the public DNS does not have, or that are never of others. */
const LOCAL_NAMES =
  /^(?:localhost|[^.]+)$|\.(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|onion|invalid|test|home\.arpa)$/;

const MAX_URL = 300;

/** Why a mirror cannot be at a URL, or undefined when it can. The URL is http or https, as the schema has checked. */
export function problemOfUrl(text: string, { allowPrivateAddress, ownHost }: Rules): string | undefined {
  const { hostname, search, href } = new URL(text);
  if (href.length > MAX_URL) return `longer than ${MAX_URL} characters`;
  if (search !== "" || text.includes("?"))
    return "a base URL without a query, please: the names of blobs are appended to it";
  const host = hostname.replace(/\.$/, "");
  if (ownHost !== undefined && (host === ownHost || host.endsWith(`.${ownHost}`))) {
    return `under the mirror list's own name (${ownHost}): clients would send their credentials there`;
  }
  if (allowPrivateAddress) return undefined;
  const address = parseAddress(host.replace(/^\[|\]$/g, ""));
  if (address !== undefined) {
    return address.range() === "unicast" ? undefined : "a private, loopback or reserved address";
  }
  return LOCAL_NAMES.test(host) ? "a name that is not in the public DNS" : undefined;
}
