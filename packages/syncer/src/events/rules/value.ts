import type { Condition } from "@nearlayer/shared/config/events";
import type { Filter, Pointer, Template } from "@nearlayer/shared/config/template";

/** What a rule looks at: the message, and the item of `each`, where there is one. */
export interface Scope {
  readonly body: unknown;
  readonly item?: unknown;
}

/** Why a message does not have what a rule needs, for people. */
export class Unreadable extends Error {}

/** The longest value that can be part of a name, in characters: a repository's may have 255. */
const MAX_VALUE = 300;

/** The value that a pointer leads to (RFC 6901, section 4); undefined when there is none. */
export function valueAt({ from, tokens }: Pointer, scope: Scope): unknown {
  let value = from === "item" ? scope.item : scope.body;
  for (const token of tokens) {
    if (Array.isArray(value)) value = /^(?:0|[1-9]\d{0,8})$/.test(token) ? value[Number(token)] : undefined;
    // Its own keys alone: a message has no say in what JavaScript's objects inherit.
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, token)) {
      value = (value as Record<string, unknown>)[token];
    } else return undefined;
  }
  return value;
}

/** The text that a template makes of a message. Throws `Unreadable` where it lacks a value. */
export function render({ parts }: Template, scope: Scope): string {
  return parts
    .map((part) => (typeof part === "string" ? part : filtered(textAt(part.pointer, scope), part.filter)))
    .join("");
}

function textAt(pointer: Pointer, scope: Scope): string {
  const value = valueAt(pointer, scope);
  if (value === undefined || value === null) throw new Unreadable(`there is nothing at ${pointer.text}`);
  if (typeof value !== "string" && typeof value !== "number") {
    throw new Unreadable(`what is at ${pointer.text} is neither text nor a number`);
  }
  const text = String(value);
  if (text.length <= MAX_VALUE) return text;
  throw new Unreadable(`what is at ${pointer.text} has ${text.length} characters`);
}

function filtered(text: string, filter: Filter | undefined): string {
  if (filter === undefined) return text;
  if (filter === "lower") return text.toLowerCase();
  // The version and the release have no dash in them; the name may.
  const [found, name, version, release] = /^(.+)-([^-]+)-([^-]+)$/.exec(text) ?? [];
  if (found === undefined) throw new Unreadable(`${JSON.stringify(text)} is not NAME-VERSION-RELEASE`);
  return { name, version, release }[filter] ?? "";
}

/** Does a condition hold for what stands at its place? */
export function holds(condition: Condition, value: unknown): boolean {
  if (Array.isArray(condition)) return condition.some((literal) => literal === value);
  if (typeof condition === "object" && condition !== null) {
    return condition.exists === (value !== undefined && value !== null);
  }
  return condition === value;
}
