import type { Digest } from "@nearlayer/shared/digest";
import { createLru } from "../lru.ts";

/**
 * Remembers who was sent where for a blob. A client that asks for the same blob again within a minute tells us that
 * the mirror has failed it: several clients say it in no other way.
 */
export interface Failover {
  /** The mirrors that the client was sent to for the blob in the last minute. */
  tried(client: string, digest: Digest): readonly string[];
  note(client: string, digest: Digest, mirror: string): void;
}

const WINDOW_MS = 60_000;
/** Pulls under way that are remembered; beyond it, the oldest are forgotten and begin at the nearest mirror again. */
const REMEMBERED = 100_000;

export function createFailover(now: () => number): Failover {
  const sent = createLru<string, { mirrors: readonly string[]; until: number }>(REMEMBERED);
  const tried = (key: string) => {
    const entry = sent.get(key);
    return entry === undefined || entry.until <= now() ? [] : entry.mirrors;
  };
  const keyOf = (client: string, digest: Digest) => `${client} ${digest}`;
  return {
    tried: (client, digest) => tried(keyOf(client, digest)),
    note(client, digest, mirror) {
      const key = keyOf(client, digest);
      sent.set(key, { mirrors: [...tried(key), mirror], until: now() + WINDOW_MS });
    },
  };
}
