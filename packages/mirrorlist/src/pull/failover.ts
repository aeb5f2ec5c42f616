import type { Digest } from "@nearlayer/shared/digest";
import type { Repository } from "@nearlayer/shared/reference";
import type { Client } from "../selection/client.ts";
import { type Seed, seedOf, seedOfNumbers, seedWithDigest } from "../selection/rendezvous.ts";
import { createAttemptTable } from "./attempt-table.ts";
import { announce, ask, isAwaited, mayRerun, named, sent, type Wanted } from "./attempts.ts";
import { createGifts, type GivenLayer } from "./gifts.ts";

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
  /**
   * The puller is given a manifest with these layers. Where it names a mirror the puller will ask there, without a word
   * to us, and where it does not, here. The layers are kept: the same array for the same manifest.
   */
  give(puller: Puller, layers: readonly GivenLayer[]): void;
  /** Whether a puller who wants the manifest of these layers was failed by the mirrors that the last one named. */
  isRerun(puller: Puller, layers: readonly GivenLayer[]): boolean;
  /** The puller asks for a blob. Nobody has failed it yet: then it is sent to `nearest`, if there is such a mirror. */
  ask(puller: Puller, digest: Digest, wanted: Wanted, nearest?: string): Failed;
  /** It was sent to a mirror. */
  sent(puller: Puller, digest: Digest, mirror: string): void;
}

/** Blobs of pulls under way; beyond it, the oldest are forgotten and begin at the nearest mirror again. */
const REMEMBERED = 100_000;
/** Pullers with a manifest that they have not come back with. */
const MAX_GIFTS = 50_000;
const NOT_FAILED: Failed = { times: 0, mirrors: [] };
/** The most of a user agent that tells programs apart. */
const MAX_AGENT = 60;

export function pullerOf(client: Client, userAgent: string, repository: Repository): Puller {
  const { address } = client;
  const ofAddress = seedOfNumbers("octets" in address ? address.octets : address.parts);
  return seedOf(userAgent.slice(0, MAX_AGENT), seedOf(repository, ofAddress)) as Puller;
}

export function createFailover(now: () => number): Failover {
  const remembered = createAttemptTable(REMEMBERED);
  const gifts = createGifts(MAX_GIFTS);

  /**
   * Notes each layer of what the puller was given last. Not before it comes back, for most never do, or take the layers
   * from the mirrors that were named: what a manifest costs does not hang on its layers.
   */
  function settle(puller: Puller): void {
    const gift = gifts.take(puller);
    if (gift === undefined) return;
    for (const { layer, mirror } of gift.layers) {
      const key = seedWithDigest(puller, layer);
      const attempts = remembered.get(key);
      remembered.set(key, mirror === undefined ? announce(attempts, gift.at) : named(attempts, mirror, gift.at));
    }
  }

  return {
    give(puller, layers) {
      if (layers.length === 0) return;
      settle(puller);
      gifts.put(puller, layers, now());
    },
    isRerun(puller, layers) {
      settle(puller);
      const at = now();
      const attemptsFor = ({ layer }: GivenLayer) => remembered.get(seedWithDigest(puller, layer));
      if (!layers.every((layer) => mayRerun(attemptsFor(layer), at))) return false;
      // One that is only awaited was there already, or belongs to another client that is under way.
      return !layers.every((layer) => isAwaited(attemptsFor(layer), at));
    },
    ask(puller, digest, wanted, nearest) {
      settle(puller);
      const key = seedWithDigest(puller, digest);
      const at = now();
      const attempts = ask(remembered.get(key), wanted, at);
      const { failed, sentTo } = attempts;
      const isSent = failed === 0 && nearest !== undefined;
      remembered.set(key, isSent ? sent(attempts, nearest, at) : attempts);
      return failed === 0 ? NOT_FAILED : { times: failed, mirrors: sentTo.slice(0, failed) };
    },
    sent(puller, digest, mirror) {
      const key = seedWithDigest(puller, digest);
      remembered.set(key, sent(remembered.get(key), mirror, now()));
    },
  };
}
