import { NearlayerError } from "../errors.ts";

/** A place in a message: RFC 6901 tokens, from the body's root or from the item of a rule's `each`. */
export interface Pointer {
  readonly from: "body" | "item";
  readonly tokens: readonly string[];
  /** As it was written, for messages. */
  readonly text: string;
}

/** What can be done with a value: a part of a name-version-release, as builds are named, or lower case. */
export const FILTERS = ["name", "version", "release", "lower"] as const;
export type Filter = (typeof FILTERS)[number];

/** Text with values of a message in it. */
export interface Template {
  readonly parts: readonly (string | { readonly pointer: Pointer; readonly filter?: Filter })[];
  readonly text: string;
}

/**
 * `/update/alias` from the root of the body, `./nvr` from the item, `` and `.` for the whole of them; `~1` stands for a
 * slash and `~0` for a tilde (RFC 6901, section 3). Throws CONFIG_INVALID.
 */
export function parsePointer(text: string): Pointer {
  const from = text.startsWith(".") ? "item" : "body";
  const path = from === "item" ? text.slice(1) : text;
  if ((path !== "" && !path.startsWith("/")) || /~(?![01])/.test(path)) {
    throw new NearlayerError("CONFIG_INVALID", `not a JSON pointer: ${JSON.stringify(text)}`, {
      hint: "/update/alias from the root of the message, ./nvr from the item of `each`",
    });
  }
  const tokens = path.split("/").slice(1);
  return { from, tokens: tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~")), text };
}

/** `fedora/{/msg/name}`, `{./nvr|version}-{./nvr|release}`. Throws CONFIG_INVALID. */
export function parseTemplate(text: string): Template {
  const parts: Template["parts"][number][] = [];
  let end = 0;
  for (const { 0: whole, 1: inner = "", index } of text.matchAll(/\{([^{}]*)\}/g)) {
    if (index > end) parts.push(text.slice(end, index));
    end = index + whole.length;
    const bar = inner.lastIndexOf("|");
    const filter = bar < 0 ? undefined : inner.slice(bar + 1).trim();
    const pointer = parsePointer((bar < 0 ? inner : inner.slice(0, bar)).trim());
    if (filter !== undefined && !isFilter(filter)) {
      throw new NearlayerError("CONFIG_INVALID", `unknown filter in ${whole}: there are ${FILTERS.join(", ")}`);
    }
    parts.push(filter === undefined ? { pointer } : { pointer, filter });
  }
  if (end < text.length) parts.push(text.slice(end));
  if (parts.some((part) => typeof part === "string" && /[{}]/.test(part))) {
    throw new NearlayerError("CONFIG_INVALID", `a brace without its other in ${JSON.stringify(text)}`);
  }
  return { parts, text };
}

const isFilter = (text: string): text is Filter => (FILTERS as readonly string[]).includes(text);
