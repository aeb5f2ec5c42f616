import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { centroidOf } from "../geo/centroids.ts";
import type { Place } from "../geo/geo.ts";
import { createLru } from "../lru.ts";
import type { Address } from "./netblock.ts";
import type { Position } from "./position.ts";
import { type Seed, seedOf } from "./rendezvous.ts";

/** Who asks, as far as the choice of a mirror depends on it. */
export interface Client extends Neighbours {
  readonly address: Address;
}

/** What clients of one prefix have in common. */
export interface Neighbours {
  /** IPv4 /24, IPv6 /48. It stands for the client in hashes and logs. */
  readonly prefix: string;
  /** Of the prefix. */
  readonly seed: Seed;
  readonly country: string | undefined;
  readonly asn: number | undefined;
  readonly position: Position | undefined;
  /** Where on earth that is: who has the same text stands in the same country and place. */
  readonly whereabouts: string;
}

const IPV6_BITS = 48;

/** An address as people and peers write it, or undefined. IPv4 in IPv6 (`::ffff:192.0.2.1`) becomes IPv4. */
export function parseAddress(text: string): Address | undefined {
  const octets = octetsOf(text);
  if (octets !== undefined) return new ipaddr.IPv4(octets);
  // ipaddr.js takes more forms than there should be (`127.1`, octal); Node's own check does not.
  if (text.length > 64 || isIP(text) === 0) return undefined;
  return ipaddr.process(text.split("%", 1)[0] ?? text);
}

/** The form that nearly all have, without the many that ipaddr.js tries first. */
function octetsOf(text: string): number[] | undefined {
  const octets: number[] = [];
  let octet = -1;
  for (let index = 0; index <= text.length; index += 1) {
    const code = index < text.length ? text.charCodeAt(index) : DOT;
    if (code === DOT) {
      if (octet < 0) return undefined;
      octets.push(octet);
      octet = -1;
    } else if (code < ZERO || code > ZERO + 9 || octet === 0) return undefined;
    else octet = Math.max(0, octet) * 10 + code - ZERO;
    if (octet > 255) return undefined;
  }
  return octets.length === 4 ? octets : undefined;
}

const DOT = 46;
const ZERO = 48;

export function prefixOf(address: Address): string {
  if (address instanceof ipaddr.IPv4) {
    const [a, b, c] = address.octets;
    return `${a}.${b}.${c}.0/24`;
  }
  const bytes = address.toByteArray().map((byte, index) => (index < IPV6_BITS / 8 ? byte : 0));
  return `${ipaddr.fromByteArray(bytes).toString()}/${IPV6_BITS}`;
}

/** The neighbours of late, by their IPv4 /24, with the very place that they were made of. */
const known = createLru<number, { readonly place: Place; readonly neighbours: Neighbours }>(20_000);
const NOWHERE: Place = {};

/** Where only the country is known, the client is in the middle of it. */
export function clientOf(address: Address, place: Place = NOWHERE): Client {
  const number = prefixNumber(address);
  const remembered = number === undefined ? undefined : known.get(number);
  if (remembered?.place === place) return { ...remembered.neighbours, address };
  const neighbours = neighboursOf(address, place);
  if (number !== undefined) known.set(number, { place, neighbours });
  return { ...neighbours, address };
}

function neighboursOf(address: Address, { country, asn, position: found }: Place): Neighbours {
  const prefix = prefixOf(address);
  const position = found === undefined ? centroidOf(country ?? "") : roughly(found);
  const whereabouts = `${country} ${position?.latitude} ${position?.longitude}`;
  return { prefix, seed: seedOf(prefix), country, asn, position, whereabouts };
}

/** The first three octets of an IPv4 address as a number. */
export function prefixNumber(address: Address): number | undefined {
  if (!("octets" in address)) return undefined;
  const [a = 0, b = 0, c = 0] = address.octets;
  return (a << 16) | (b << 8) | c;
}

/** To whole degrees: databases know no better, and clients stand in few enough places to remember what is near. */
function roughly({ latitude, longitude }: Position): Position {
  return { latitude: Math.round(latitude), longitude: Math.round(longitude) };
}
