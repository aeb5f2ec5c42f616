import { NearlayerError } from "@nearlayer/shared/errors";
import type { Transport } from "../transport.ts";
import { type Challenge, parseChallenge } from "./challenge.ts";
import { basic, type FindCredentials } from "./credentials.ts";
import { fetchToken, type Token } from "./token.ts";

/** Says who we are, in the way that the registry has asked for. */
export interface Authorizer {
  /** The `Authorization` for a request within `scope`; undefined while nobody has asked. */
  header(scope: string): Promise<string | undefined>;
  /**
   * What to send after a 401: `sent` was not enough. Undefined when there is nothing better, that is when there are no
   * credentials, or when they were refused.
   */
  answer(
    challenge: string | string[] | undefined,
    scope: string,
    sent: string | undefined,
  ): Promise<string | undefined>;
}

/** `registry` is the registry's URL. */
export function createAuthorizer(
  registry: URL,
  transport: Transport,
  find: FindCredentials,
  now: () => number = Date.now,
): Authorizer {
  let accepted: Challenge | undefined;
  /** By scope. Who comes while a token is being fetched waits for that one. */
  const tokens = new Map<string, Promise<Token>>();

  async function token(challenge: Challenge & { scheme: "bearer" }, scope: string): Promise<string> {
    const known = tokens.get(scope);
    // What could not be had is asked for again.
    const current = await known?.catch(() => undefined);
    if (current !== undefined && now() < current.refreshAt) return `Bearer ${current.text}`;
    // Somebody else may have begun while this one waited.
    const pending = tokens.get(scope);
    const fetching = pending === known || pending === undefined ? fetchFor(challenge, scope) : pending;
    tokens.set(scope, fetching);
    return `Bearer ${(await fetching).text}`;
  }

  async function fetchFor(challenge: Challenge & { scheme: "bearer" }, scope: string): Promise<Token> {
    const realm = checkRealm(challenge.realm, registry);
    const credentials = await find(registry.host);
    return fetchToken(transport, { realm, service: challenge.service, scope, credentials }, now());
  }

  async function headerFor(challenge: Challenge, scope: string): Promise<string | undefined> {
    if (challenge.scheme === "bearer") return token(challenge, scope);
    const credentials = await find(registry.host);
    return credentials?.kind === "password" ? basic(credentials.username, credentials.password) : undefined;
  }

  return {
    header: async (scope) => accepted && headerFor(accepted, scope),

    async answer(header, scope, sent) {
      const challenge = parseChallenge(header);
      if (challenge === undefined) return undefined;
      accepted = challenge;
      const current = await tokens.get(scope)?.catch(() => undefined);
      if (sent !== undefined && sent === `Bearer ${current?.text}`) tokens.delete(scope);
      const better = await headerFor(challenge, scope);
      return better === sent ? undefined : better;
    },
  };
}

/** Credentials go to the realm: it must be as safe as the registry that names it. */
function checkRealm(text: string, registry: URL): URL {
  const realm = URL.parse(text);
  const isSafe = realm?.protocol === "https:" || (realm?.protocol === "http:" && registry.protocol === "http:");
  if (realm !== null && isSafe && realm.username === "" && realm.password === "") return realm;
  throw new NearlayerError(
    "SOURCE_REFUSED",
    `registry ${registry.origin} sends us for tokens to ${text.slice(0, 200)}`,
    {
      hint: "a token server must be an https URL, unless source.url is http itself",
    },
  );
}
