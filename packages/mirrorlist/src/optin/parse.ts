import { type DeclaredMirror, isPositioned, mirrorKeys } from "@nearlayer/shared/config/schema";
import { type Checked, check, readYaml } from "@nearlayer/shared/config/yaml";
import { z } from "zod";
import { problemOfAsn, problemOfNetblock, problemOfUrl, type Rules } from "./limits.ts";

/** What a mirror asks for: to take part as it declares itself (anew or otherwise than before), or to leave. */
export type Request =
  | { readonly kind: "opt-in"; readonly declared: DeclaredMirror; readonly token?: string }
  | { readonly kind: "opt-out"; readonly name: string; readonly token?: string };

/** An opt-in file has a dozen lines. */
export const MAX_BYTES = 16_384;
const MAX_LINE = 1000;
const MAX_INDENT = 16;
/** How often something may stand in a file that has 15 keys, and lists of at most MAX_COUNTRIES. */
const MAX_TIMES = [
  ["lines", /\n/g, 600],
  ["keys", /:(?:\s|$)/g, 100],
  ["commas", /,/g, 600],
  ["lists", /[[{]/g, 50],
  ["anchors, aliases and tags", /(?:^|[\s[{,])[&*!]/g, 10],
] as const;
const MAX_NETBLOCKS = 32;
const MAX_PLATFORMS = 100;
const MAX_COUNTRIES = 250;

/** Names that stand for something else in what is shown. */
const RESERVED_NAMES = new Set(["origin", "master"]);

const token = z.string().regex(/^[0-9a-f]{64}$/, "not a token: 64 hexadecimal digits, in small letters");

/** Reads an opt-in file, which is YAML. Pure; what is wrong comes with line, key and reason. */
export function parseOptIn(text: string, rules: Rules): Checked<Request> {
  return tooLarge(text) ?? tooDeep(text) ?? readYaml(requestSchema(rules), text, { maxAliasCount: 0 });
}

/** The same in JSON. */
export function parseOptInJson(text: string, rules: Rules): Checked<Request> {
  const large = tooLarge(text);
  if (large !== undefined) return large;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, problems: [{ key: "", reason: "not JSON" }] };
  }
  return check(requestSchema(rules), value);
}

function tooLarge(text: string): Checked<never> | undefined {
  return Buffer.byteLength(text) > MAX_BYTES ? wrong(`larger than ${MAX_BYTES} bytes`) : undefined;
}

/** An explicit key (`? key`), and a list in a list, as they begin on a line or in brackets. */
const EXPLICIT_KEY = /(?:^\s*(?:-\s+)*|[[{,]\s*)\?(?:\s|$)/;
const LIST_IN_LIST = /^\s*-\s+-(?:\s|$)/;

/**
 * Some of what YAML can be makes the parser slow beyond all measure (docs/decisions/0035). An opt-in file is a map of
 * lists: what nests deeper, or has more of anything, is refused before it is parsed.
 */
function tooDeep(text: string): Checked<never> | undefined {
  for (const [index, line] of text.split(/\r\n?|\n/).entries()) {
    if (line.length > MAX_LINE) return wrong(`longer than ${MAX_LINE} characters`, index + 1);
    const isNested = EXPLICIT_KEY.test(line) || LIST_IN_LIST.test(line) || line.search(/\S|$/) > MAX_INDENT;
    if (isNested) return wrong("nested deeper than an opt-in file is", index + 1);
  }
  const many = MAX_TIMES.find(([, what, times]) => (text.match(what)?.length ?? 0) > times);
  return many && wrong(`more ${many[0]} than an opt-in file has`);
}

function wrong(reason: string, line?: number): Checked<never> {
  return { ok: false, problems: [{ ...(line === undefined ? {} : { line }), key: "", reason }] };
}

const isLeaving = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "optOut" in value && value.optOut === true;

/** Who leaves may send the whole file again, but name and token will do. */
const leaving = z
  .looseObject({ name: mirrorKeys.shape.name, optOut: z.literal(true), token: token.optional() })
  .transform(({ name, token }): Request => ({ kind: "opt-out", name, ...(token === undefined ? {} : { token }) }));

function requestSchema(rules: Rules): z.ZodType<Request> {
  const joining = joiningSchema(rules);
  return z.unknown().transform((value, context): Request => {
    const result = (isLeaving(value) ? leaving : joining).safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue);
    return z.NEVER;
  });
}

/** What a mirror may say of itself. What else the operator's file can say of one is the operator's to decide. */
const OWN_KEYS = {
  ...({ name: true, url: true, country: true, bandwidth: true, platforms: true, contact: true } as const),
  ...({ asn: true, netblocks: true, private: true, countries: true, families: true } as const),
  ...({ latitude: true, longitude: true, rsync: true } as const),
};

function joiningSchema(rules: Rules) {
  const { shape } = mirrorKeys.pick(OWN_KEYS);
  return z
    .strictObject({
      ...shape,
      name: shape.name.refine((name) => !RESERVED_NAMES.has(name), { error: "a name that is taken: choose another" }),
      url: shape.url.transform((url) => new URL(url).href).superRefine(refuse((url) => problemOfUrl(url, rules))),
      platforms: z.array(shape.platforms.unwrap().element).min(1).max(MAX_PLATFORMS).optional(),
      countries: z.array(shape.countries.unwrap().element).min(1).max(MAX_COUNTRIES).optional(),
      contact: z
        .string()
        .max(200)
        .regex(/^\P{C}*$/u, "control characters")
        .optional(),
      asn: z.int().min(0).max(4_294_967_295).superRefine(refuse(problemOfAsn)).optional(),
      netblocks: z
        .array(shape.netblocks.unwrap().element.superRefine(refuse((text) => problemOfNetblock(text, rules))))
        .max(MAX_NETBLOCKS, `more than ${MAX_NETBLOCKS} netblocks: ask the operator for them`)
        .default([]),
      token: token.optional(),
      optOut: z.literal(false).optional(),
    })
    .refine(isPositioned, { path: ["latitude"], error: "latitude and longitude go together" })
    .refine(({ url, rsync }) => rsync === undefined || hostOf(rsync) === hostOf(url), {
      path: ["rsync"],
      error: "at another host than url",
    })
    .refine(({ private: isPrivate, netblocks }) => !isPrivate || netblocks.length > 0, {
      path: ["private"],
      error: "private to no netblocks: nobody would be sent there",
    })
    .transform(({ token, optOut: _, ...keys }): Request => {
      const { allowPrivateAddress } = rules;
      const declared = { ...keys, allowPrivateAddress, disabled: false };
      return { kind: "opt-in", declared, ...(token === undefined ? {} : { token }) };
    });
}

const hostOf = (url: string) => new URL(url).hostname.toLowerCase().replace(/\.$/, "");

const refuse =
  <T>(problemOf: (value: T) => string | undefined) =>
  (value: T, context: z.RefinementCtx<T>): void => {
    const message = problemOf(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  };
