import type { Generated } from "kysely";
import type { Digest } from "../digest.ts";
import type { Repository, Tag } from "../reference.ts";

/**
 * What becomes of an event. `waiting`: its sync is to come, or to be tried again; `done`: the tree has it, and so have the
 * targets; `parked`: it could not be read, or was tried too often, and waits for somebody to look; `dropped`: somebody did,
 * and does not want it.
 */
export type EventState = "waiting" | "done" | "parked" | "dropped";

/** The journal of events. Times are ISO 8601 in UTC, as everywhere. */
export interface EventsSchema {
  /**
   * Something that a source told, written down before that source hears that it arrived. `id` counts up in the order of
   * the commits. One message can ask for several syncs: a row each, told apart by `part`.
   */
  event: {
    id: Generated<number>;
    /** `amqp`, `fedmsg`, `registry`, `trigger`, or a webhook's name. */
    source: string;
    /** What the sender tells its messages apart by; with source and part, it is there once. */
    key: string;
    part: number;
    topic: string;
    receivedAt: string;
    state: EventState;
    /** What is to be synced; without a tag, all of it. Both empty where that could not be told. */
    repository: Repository | null;
    tag: Tag | null;
    /** What the tag is to be, where the sender says so: a registry tells of a push a moment before the tag has it. */
    digest: Digest | null;
    /** 1 where it is no failure that the source has not got it. */
    optional: number;
    /** How often its sync has failed. */
    attempts: number;
    /** Its sync is not tried before that time. */
    notBefore: string;
    finishedAt: string | null;
    /** Why it failed last, or was parked. */
    reason: string | null;
    /** The message, as it came; empty where it was too large, in all but the first part, and once it is done. */
    body: Uint8Array | null;
  };
  /** What is to be told to others: written down with its occasion, and told until they have taken it. */
  notice: {
    id: Generated<number>;
    /** The occasion: there is one notice of it for a destination. */
    key: string;
    /** The URL of a webhook, or `amqp`. */
    destination: string;
    topic: string;
    /** JSON. */
    body: string;
    createdAt: string;
    attempts: number;
    notBefore: string;
    /** When it was taken, or given up. */
    finishedAt: string | null;
    reason: string | null;
  };
}
