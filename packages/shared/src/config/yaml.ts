import { type Document, isMap, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { messageOf } from "../errors.ts";

/** One thing that is wrong with a text: where, and why. */
export interface Problem {
  /** From 1; undefined where there is no such place. */
  readonly line?: number;
  readonly column?: number;
  /** `mirrors[0].url`; empty for the whole. */
  readonly key: string;
  readonly reason: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `FILE:LINE: KEY: REASON`, as far as they are known. */
export function formatProblem(file: string, { line, column, key, reason }: Problem): string {
  const place = [file, ...(line === undefined ? [] : [line]), ...(column === undefined ? [] : [column])].join(":");
  return `${place}: ${key === "" ? "" : `${key}: `}${reason}`;
}

/** Reads YAML and checks it whole by a schema. */
export function readYaml<T>(schema: z.ZodType<T>, text: string, { maxAliasCount = 100 } = {}): Checked<T> {
  const lineCounter = new LineCounter();
  let document: Document;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: "silent" });
    const broken = document.errors[0];
    if (broken) {
      const { line, col } = lineCounter.linePos(broken.pos[0]);
      return { ok: false, problems: [{ line, column: col, key: "", reason: `not YAML: ${broken.message}` }] };
    }
    value = document.toJS({ maxAliasCount }) ?? {};
  } catch (error) {
    // Too deep for the stack, or more aliases than are allowed.
    return { ok: false, problems: [{ key: "", reason: `not YAML that can be read: ${messageOf(error)}` }] };
  }
  return check(schema, value, (path) => {
    const offset = offsetOf(document, path);
    return offset === undefined ? undefined : lineCounter.linePos(offset).line;
  });
}

/** Checks a value by a schema; `lineOf` knows where a key stands in the text that it was read from. */
export function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  lineOf: (path: readonly PropertyKey[]) => number | undefined = () => undefined,
): Checked<T> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, data: result.data };
  const at = (path: readonly PropertyKey[], reason: string): Problem => {
    const line = lineOf(path);
    return { ...(line === undefined ? {} : { line }), key: formatPath(path), reason };
  };
  const problems = result.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => at([...issue.path, key], "unknown key"))
      : [at(issue.path, isMissing(issue, value) ? "missing" : issue.message)],
  );
  return { ok: false, problems };
}

/** A key that is not there is not of a wrong kind. */
function isMissing({ code, path }: z.core.$ZodIssue, value: unknown): boolean {
  const found = path.reduce((inner: unknown, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
  return code !== "custom" && path.length > 0 && found === undefined;
}

/** Where the key begins. One that is missing has no place of its own: its parent's is the nearest. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    const pair = document.getIn(path.slice(0, depth - 1), true);
    const key = isMap(pair) ? pair.items.find((item) => String(item.key) === String(path[depth - 1]))?.key : node;
    const range = (key as { range?: readonly [number, number, number] } | undefined)?.range;
    if (range) return range[0];
  }
  return undefined;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`))
    .join("");
}
