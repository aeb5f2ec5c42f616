import type { Address } from "../selection/netblock.ts";
import type { Position } from "../selection/position.ts";

/** Where an address is, as far as it is known. */
export interface Place {
  /** ISO 3166-1, two capital letters. */
  readonly country?: string;
  /** The number of the autonomous system. */
  readonly asn?: number;
  /** Where in the country, if that is known. */
  readonly position?: Position;
}

/** Whom the licence of the data asks us to name wherever its results are shown. */
export interface Attribution {
  readonly text: string;
  readonly url: string;
}

/** Says where addresses are. */
export interface Geo {
  locate(address: Address): Place;
  readonly attributions: readonly Attribution[];
}
