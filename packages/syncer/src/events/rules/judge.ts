import type { EventRecord } from "@nearlayer/shared/catalog/events";
import type { Template } from "@nearlayer/shared/config/template";
import { type Digest, isDigest } from "@nearlayer/shared/digest";
import { messageOf } from "@nearlayer/shared/errors";
import { parseRepository, parseTag, type Repository, type Tag } from "@nearlayer/shared/reference";
import type { Message } from "../message.ts";
import type { Rule } from "./presets.ts";
import { matchesTopic } from "./topic.ts";
import { holds, render, type Scope, Unreadable, valueAt } from "./value.ts";

/** What a message comes to: events to be written down, or nothing, for a reason that is counted. */
export type Verdict =
  | { readonly records: readonly EventRecord[] }
  | { readonly ignored: "unknown topic" | "no rule applies" | "not wanted" };

/** How many syncs one message can ask for. */
const MAX_PARTS = 1000;

interface Wanted {
  readonly repository: Repository;
  readonly tag?: Tag;
  readonly digest?: Digest;
  readonly optional: boolean;
}

/**
 * Says what a message asks for, by the rules for its topic. What cannot be read is to be parked, with the reason; what the
 * configuration leaves out (`isWanted`) is not worth a line. Pure.
 */
export function judge(rules: readonly Rule[], message: Message, isWanted: (repository: string) => boolean): Verdict {
  const candidates = rules.filter(({ topic }) => matchesTopic(topic, message.topic));
  if (candidates.length === 0) return { ignored: "unknown topic" };
  const readers = candidates.filter(({ schema }) => schema === undefined || schema.includes(message.schema ?? ""));
  if (readers.length === 0) {
    const known = candidates.flatMap(({ schema }) => schema ?? []).join(", ");
    return park(
      message,
      `the schema is ${message.schema ?? "not named"}; the rules for ${message.topic} read ${known}`,
    );
  }
  const wanted = new Map<string, Wanted>();
  const problems = new Set<string>();
  try {
    const body = parseBody(message);
    for (const rule of readers) apply(rule, rule.unwraps ? unwrapped(body) : body, wanted, problems);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return park(message, error.message);
  }
  if (wanted.size > MAX_PARTS) return park(message, `it asks for ${wanted.size} syncs; ${MAX_PARTS} is the most`);
  const left = [...wanted.values()].filter(({ repository }) => isWanted(repository));
  if (left.length === 0 && problems.size === 0) {
    return { ignored: wanted.size > 0 ? "not wanted" : "no rule applies" };
  }
  const outcomes = [...left, ...(problems.size === 0 ? [] : [{ parked: [...problems].slice(0, 5).join("; ") }])];
  return { records: outcomes.map((outcome, part) => recordOf(message, part, outcome)) };
}

function parseBody({ body }: Message): unknown {
  if ("tooLarge" in body) {
    throw new Unreadable(`the message has ${body.tooLarge} bytes, more than events.maxBody`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new Unreadable(`the message is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
}

/** fedmsg's envelope is around the same message as on AMQP; bridges from one to the other leave it on. */
function unwrapped(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const { topic, msg, msg_id: id } = body as { topic?: unknown; msg?: unknown; msg_id?: unknown };
  return typeof topic === "string" && typeof id === "string" && typeof msg === "object" ? msg : body;
}

function apply(rule: Rule, body: unknown, wanted: Map<string, Wanted>, problems: Set<string>): void {
  const conditions = rule.when ?? [];
  const isMet = (from: "body" | "item", scope: Scope) =>
    conditions.every(({ pointer, value }) => pointer.from !== from || holds(value, valueAt(pointer, scope)));
  if (!isMet("body", { body })) return;
  for (const scope of scopesOf(rule, body)) {
    if (!isMet("item", scope)) continue;
    try {
      const one = wantedBy(rule, scope);
      wanted.set(one.tag === undefined ? one.repository : `${one.repository}:${one.tag}`, one);
    } catch (error) {
      problems.add(messageOf(error));
    }
  }
}

function scopesOf({ each }: Rule, body: unknown): Scope[] {
  if (each === undefined) return [{ body }];
  const items = valueAt(each, { body });
  if (!Array.isArray(items)) throw new Unreadable(`there is no list at ${each.text}`);
  return items.map((item) => ({ body, item }));
}

function wantedBy({ repository, tag, digest, optional = false }: Rule, scope: Scope): Wanted {
  const expected = digest === undefined ? undefined : digestIn(digest, scope);
  return {
    ...(expected === undefined ? {} : { digest: expected }),
    repository: parseRepository(render(repository, scope)),
    ...(tag === undefined ? {} : { tag: parseTag(render(tag, scope)) }),
    optional,
  };
}

/** A hint, without which an event is as good: what is no digest is none. */
function digestIn(template: Template, scope: Scope): Digest | undefined {
  try {
    const text = render(template, scope);
    return isDigest(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

const park = (message: Message, reason: string): Verdict => ({ records: [recordOf(message, 0, { parked: reason })] });

function recordOf({ source, key, topic, body }: Message, part: number, wanted: EventRecord["wanted"]): EventRecord {
  const kept = part === 0 || "parked" in wanted;
  return { source, key, part, topic, body: kept && !("tooLarge" in body) ? body : undefined, wanted };
}
