/** What a registry wants to see before it answers (`WWW-Authenticate`; RFC 9110, 11.6.1). */
export type Challenge =
  | { readonly scheme: "basic" }
  /** A token from `realm` (distribution, docs/spec/auth/token.md). */
  | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

/** One parameter: a name, and a token or a quoted string with its escapes. */
const PARAMETER = /\s*,?\s*([a-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/iy;

/** Reads the first challenge that we can answer; a server may send several, as headers of their own or in one. */
export function parseChallenge(header: string | readonly string[] | undefined): Challenge | undefined {
  const texts = header === undefined ? [] : typeof header === "string" ? [header] : header;
  const found = texts.flatMap((text) => [...challengesIn(text)]);
  // A token is limited in time and in what it opens: where there is a choice, it is better than the password.
  return found.find(({ scheme }) => scheme === "bearer") ?? found[0];
}

function* challengesIn(text: string): Generator<Challenge> {
  // The length limit keeps a hostile header away from the expressions.
  for (const match of text.slice(0, 8192).matchAll(/(?:^|[\s,])(basic|bearer)(?=\s|$|,)/gi)) {
    if (match[1]?.toLowerCase() === "basic") {
      yield { scheme: "basic" };
      continue;
    }
    const { realm, service, scope } = parametersAt(text, match.index + match[0].length);
    if (realm === undefined) continue;
    yield { scheme: "bearer", realm, ...(service ? { service } : {}), ...(scope ? { scope } : {}) };
  }
}

function parametersAt(text: string, index: number): Partial<Record<string, string>> {
  const parameters: Record<string, string> = {};
  PARAMETER.lastIndex = index;
  for (let match = PARAMETER.exec(text); match !== null; match = PARAMETER.exec(text)) {
    const [, name = "", quoted, plain] = match;
    parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
  }
  return parameters;
}
