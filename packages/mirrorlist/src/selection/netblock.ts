import ipaddr from "ipaddr.js";

/** An IP address, parsed; an IPv4 address that was mapped into IPv6 is IPv4. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Which of the two kinds of address: what has the one alone is not reached by the other. */
export type Family = ReturnType<Address["kind"]>;

/** A range of addresses in CIDR form. */
export interface Netblock {
  readonly text: string;
  readonly base: Address;
  readonly bits: number;
}

/** The text must be a CIDR, as the configuration has checked. */
export function parseNetblock(text: string): Netblock {
  const [base, bits] = ipaddr.parseCIDR(text);
  return { text, base, bits };
}

export function contains({ base, bits }: Netblock, address: Address): boolean {
  return base.kind() === address.kind() && address.match(base, bits);
}
