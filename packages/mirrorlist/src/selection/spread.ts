import type { Digest } from "@nearlayer/shared/digest";
import type { Client } from "./client.ts";
import { type Seed, seedOf, seedWithDigest } from "./rendezvous.ts";

/** In how many orders, at most, the URLs of one image are written for clients that are equally near to everything. */
export const COHORTS = 64;

/**
 * The key of a redirect: the client's prefix and the blob. The same client gets the same mirror for the same blob,
 * and the layers of an image spread over the equals.
 */
export function redirectSpread(client: Client, digest: Digest): Seed {
  return seedWithDigest(client.seed, digest);
}

/**
 * The key of a layer's URLs in a variant: the client's cohort and the blob. A key by prefix would give each /24 of
 * the world a manifest of its own; by cohort an image has at most as many variants as there are cohorts for each set
 * of mirrors that are near.
 */
export function variantSpread(client: Client, digest: Digest): Seed {
  return seedOf(`cohort-${cohortOf(client)} ${digest}`);
}

export function cohortOf(client: Client): number {
  return client.seed[0] % COHORTS;
}
