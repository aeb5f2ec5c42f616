import type { Digest } from "@nearlayer/shared/digest";
import type { Repository } from "@nearlayer/shared/reference";
import type { Client } from "../selection/client.ts";
import { type Seed, seedOf, seedWithDigest } from "../selection/rendezvous.ts";
import { createAttemptTable } from "./attempt-table.ts";
import { announce, ask, isAwaited, mayRerun, named, sent, type Wanted } from "./attempts.ts";

/** Who pulls: an address, a program and a repository, hashed. The same layer elsewhere is another pull. */
export type Puller = Seed & { readonly puller: unique symbol };

/** What a puller is known to have tried. */
export interface Failed {
  /** How often it was failed; at most as many mirrors are to be left out. */
  readonly times: number;
  /** Their base URLs. */
  readonly mirrors: readonly string[];
}

/** Remembers who was sent where for a blob: a client that asks again tells us that the mirror has failed it. */
export interface Failover {
  /** The puller is given a manifest with these layers, and will ask for them. */
  announce(puller: Puller, layers: readonly Digest[]): void;
  /** The puller is given a manifest that names a mirror for the layer itself. */
  named(puller: Puller, layer: Digest, mirror: string): void;
  /** Whether a puller who wants the manifest of these layers was failed by the mirrors that the last one named. */
  isRerun(puller: Puller, layers: readonly Digest[]): boolean;
  /** The puller asks for a blob. */
  ask(puller: Puller, digest: Digest, wanted: Wanted): Failed;
  /** It was sent to a mirror. */
  sent(puller: Puller, digest: Digest, mirror: string): void;
}

/** Blobs of pulls under way; beyond it, the oldest are forgotten and begin at the nearest mirror again. */
const REMEMBERED = 100_000;
/** The most of a user agent that tells programs apart. */
const MAX_AGENT = 60;

export function pullerOf(client: Client, userAgent: string, repository: Repository): Puller {
  return seedOf(`${client.address.toString()} ${repository} ${userAgent.slice(0, MAX_AGENT)}`) as Puller;
}

export function createFailover(now: () => number): Failover {
  const remembered = createAttemptTable(REMEMBERED);
  return {
    announce(puller, layers) {
      for (const layer of layers) {
        const key = seedWithDigest(puller, layer);
        remembered.set(key, announce(remembered.get(key), now()));
      }
    },
    named(puller, layer, mirror) {
      const key = seedWithDigest(puller, layer);
      remembered.set(key, named(remembered.get(key), mirror, now()));
    },
    isRerun(puller, layers) {
      const attemptsFor = (layer: Digest) => remembered.get(seedWithDigest(puller, layer));
      if (!layers.every((layer) => mayRerun(attemptsFor(layer), now()))) return false;
      // One that is only awaited was there already, or belongs to another client that is under way.
      return !layers.every((layer) => isAwaited(attemptsFor(layer), now()));
    },
    ask(puller, digest, wanted) {
      const key = seedWithDigest(puller, digest);
      const attempts = ask(remembered.get(key), wanted, now());
      remembered.set(key, attempts);
      const { failed, sentTo } = attempts;
      return { times: failed, mirrors: sentTo.slice(0, failed) };
    },
    sent(puller, digest, mirror) {
      const key = seedWithDigest(puller, digest);
      remembered.set(key, sent(remembered.get(key), mirror, now()));
    },
  };
}
