import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Certificate } from "../process/certificate.ts";
import { freePort } from "../process/ports.ts";

/** A request for a token. */
export interface TokenRequest {
  readonly method: string;
  readonly service: string;
  readonly scope: string;
  readonly authorization: string | undefined;
  /** Of a POST with a refresh token. */
  readonly refreshToken: string | undefined;
}

/** A token server as distribution's docs/spec/auth has them: signs what docker-registry checks. */
export interface TokenServer extends AsyncDisposable {
  readonly url: string;
  /** The `auth:` of the registry's configuration. */
  readonly registryConfig: string;
  readonly requests: readonly TokenRequest[];
  /** How long the next tokens hold, in seconds. */
  life: number;
  forget(): void;
}

export interface TokenServerOptions {
  readonly certificate: Certificate;
  readonly username: string;
  readonly password: string;
  readonly refreshToken?: string;
}

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { certificate, username, password } = options;
  const [issuer, service] = ["nearlayer test", "test registry"];
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  let requests: TokenRequest[] = [];
  const host = `127.0.0.1:${await freePort()}`;
  const server = createServer(async (incoming, response) => {
    const request = await readRequest(incoming);
    requests.push(request);
    const isKnown = request.authorization === basic || (request.refreshToken ?? "") === options.refreshToken;
    if (!isKnown) return void response.writeHead(401).end(JSON.stringify({ details: `no: ${password}` }));
    const token = signToken(certificate, { issuer, service, scope: request.scope, life: handle.life });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ token, access_token: token, expires_in: handle.life }));
  });
  server.listen(Number(host.split(":")[1]), "127.0.0.1");
  await once(server, "listening");
  const handle: TokenServer = {
    url: `http://${host}/token`,
    registryConfig: [
      "auth:",
      `  token: {realm: "http://${host}/token", service: ${service}, issuer: ${issuer}, rootcertbundle: ${certificate.file}}`,
    ].join("\n"),
    get requests() {
      return requests;
    },
    life: 300,
    forget: () => {
      requests = [];
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return handle;
}

async function readRequest(incoming: IncomingMessage): Promise<TokenRequest> {
  const { method = "GET", headers } = incoming;
  const parameters =
    method === "POST"
      ? new URLSearchParams(await text(incoming))
      : new URL(incoming.url ?? "", "http://x").searchParams;
  return {
    method,
    service: parameters.get("service") ?? "",
    scope: parameters.get("scope") ?? "",
    authorization: headers.authorization,
    refreshToken: parameters.get("refresh_token") ?? undefined,
  };
}

interface Claims {
  readonly issuer: string;
  readonly service: string;
  readonly scope: string;
  readonly life: number;
}

/** A JSON Web Token with the certificate in its header (distribution, docs/spec/auth/jwt.md). */
function signToken({ cert, key }: Certificate, { issuer, service, scope, life }: Claims): string {
  const now = Math.floor(Date.now() / 1000);
  const [type = "", name = "", actions = ""] = scope.split(":");
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = { typ: "JWT", alg: "RS256", x5c: [new X509Certificate(cert).raw.toString("base64")] };
  const claims = {
    ...{ iss: issuer, sub: "tester", aud: service, jti: randomUUID() },
    ...{ exp: now + life, nbf: now - 10, iat: now },
    access: [{ type, name, actions: actions.split(",") }],
  };
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), createPrivateKey(key)).toString("base64url")}`;
}
