import { NearlayerError } from "@nearlayer/shared/errors";
import { z } from "zod";
import { readBounded } from "../../body.ts";
import { isTransientStatus, RequestError } from "../errors.ts";
import type { Answer, Transport } from "../transport.ts";
import { basic, type Credentials } from "./credentials.ts";

/** What opens a part of a registry for a while. */
export interface Token {
  readonly text: string;
  /** In milliseconds since 1970, some time before the token server says, since clocks differ. */
  readonly refreshAt: number;
}

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  /** What it is to open: `repository:fedora/app:pull`. */
  readonly scope: string;
  readonly credentials: Credentials | undefined;
}

/** When the server does not say: distribution, docs/spec/auth/token.md. In seconds. */
const DEFAULT_LIFE_S = 60;
const MAX_TOKEN_BYTES = 64 * 1024;

const answerSchema = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().positive().optional(),
});

/** Asks a token server, anonymously, with a password, or with the refresh token of a login (oauth.md beside token.md). */
export async function fetchToken(transport: Transport, request: TokenRequest, now: number): Promise<Token> {
  const { realm, credentials } = request;
  const answer = await (credentials?.kind === "identity"
    ? postRefresh(transport, request, credentials.token)
    : getToken(transport, request, credentials));
  const { statusCode } = answer;
  if (statusCode !== 200) {
    await answer.dump();
    throw new RequestError("SOURCE_REFUSED", `token server ${realm.host} answers ${statusCode}`, {
      isTransient: isTransientStatus(statusCode),
      status: statusCode,
      ...(statusCode === 401 || statusCode === 403 ? { hint: "are source.username and its password right?" } : {}),
    });
  }
  const bytes = await readBounded(answer.pour, MAX_TOKEN_BYTES, `token server ${realm.host}`);
  const { text, life } = parseToken(bytes, realm);
  return { text, refreshAt: now + Math.max(life * 1000 * 0.8, Math.min(life * 1000, 5000)) };
}

function getToken(
  transport: Transport,
  { realm, service, scope }: TokenRequest,
  credentials: (Credentials & { kind: "password" }) | undefined,
): Promise<Answer> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", scope);
  return transport.ask({
    url,
    headers: { accept: "application/json" },
    authorization: credentials && basic(credentials.username, credentials.password),
  });
}

function postRefresh(transport: Transport, { realm, service = "", scope }: TokenRequest, token: string) {
  const form = { grant_type: "refresh_token", refresh_token: token, service, scope, client_id: "nearlayer" };
  return transport.ask({
    url: realm,
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
}

function parseToken(bytes: Uint8Array, realm: URL): { text: string; life: number } {
  try {
    const { token, access_token, expires_in } = answerSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    const text = token ?? access_token;
    // It goes into a header: no spaces, no line ends.
    if (text !== undefined && /^[\x21-\x7e]+$/.test(text)) return { text, life: expires_in ?? DEFAULT_LIFE_S };
  } catch {
    // Said below, without the parser's words: they quote what was sent.
  }
  throw new NearlayerError("SOURCE_REFUSED", `token server ${realm.host} sent no token`);
}
