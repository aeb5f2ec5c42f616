import type { IncomingMessage, ServerResponse } from "node:http";
import { isProofOf } from "@nearlayer/shared/catalog/mirrors";
import type { Problem } from "@nearlayer/shared/config/yaml";
import { isNearlayerError } from "@nearlayer/shared/errors";
import { proofOfToken } from "@nearlayer/shared/proof";
import type { Outcome } from "../../optin/opt-ins.ts";
import { parseOptIn, parseOptInJson, type Request } from "../../optin/parse.ts";
import { rulesOf } from "../../optin/rules.ts";
import type { Admit } from "../access-log.ts";
import type { Context } from "../deps.ts";
import { Exchange } from "../exchange.ts";
import { readBody } from "./body.ts";
import { type ApiError, apiError, errorOf, sendApi, sendApiError } from "./error.ts";
import { proofOf, showMirror } from "./shown.ts";

/** Check-ins come after each sync of each mirror, and cost less than what writes. */
const CHECK_INS_PER_WRITE = 10;

export function isApiPath(path: string): boolean {
  return path === "/api" || path.startsWith("/api/");
}

/** Answers a request to `/api/`: docs/mirrors.md has what it takes and gives. */
export async function answerApi(
  context: Context,
  admit: Admit,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const exchange = new Exchange(request, response, admit(request, response));
  exchange.state.entry.kind = "api";
  try {
    const error = await route(new Call(exchange, response, context), path).catch((reason) =>
      failureOf(reason, context),
    );
    if (error !== undefined) sendApiError(exchange, error);
    await exchange.send();
  } catch (error) {
    context.log.debug({ err: error }, "an answer broke off");
    response.destroy();
  }
}

function failureOf(error: unknown, { log }: Context): ApiError {
  log.error({ err: error }, "a request failed");
  if (!isNearlayerError(error, "CATALOG_FAILED"))
    return apiError("INTERNAL", "something went wrong here", "the log has it");
  return apiError("UNAVAILABLE", "the catalog cannot be reached just now", "try again in a minute", { retryAfter: 60 });
}

type Answered = Promise<ApiError | undefined>;

async function route(call: Call, path: string): Answered {
  const { method } = call.ctx;
  if (!call.context.config.optin.api) {
    return apiError("OFF", "mirrors do not opt in over HTTP here", "ask the operator how they do");
  }
  const [, collection, name, action, ...rest] = path.replace(/\/$/, "").split("/").slice(1);
  const isMirrors = collection === "mirrors" && rest.length === 0;
  if (isMirrors && name === undefined) return method === "POST" ? call.add() : notWith(method, "POST");
  if (isMirrors && name !== undefined && action === undefined) {
    if (method === "GET" || method === "HEAD") return call.show(name);
    if (method === "PUT") return call.change(name);
    if (method === "DELETE") return call.remove(name);
    return notWith(method, "GET, HEAD, PUT, DELETE");
  }
  if (isMirrors && name !== undefined && action === "check-in") {
    return method === "POST" ? call.checkIn(name) : notWith(method, "POST");
  }
  return apiError(
    "NOT_FOUND",
    "there is nothing under this path",
    "POST /api/mirrors; GET, PUT, DELETE /api/mirrors/NAME",
  );
}

const notWith = (method: string, allow: string) =>
  apiError("METHOD", `not with ${method.slice(0, 20)}`, `use ${allow}`, { allow });

/** One request and what it is answered with: each way resolves with the error, or has answered. */
class Call {
  readonly ctx: Exchange;
  readonly context: Context;
  readonly #response: ServerResponse;

  constructor(ctx: Exchange, response: ServerResponse, context: Context) {
    this.ctx = ctx;
    this.context = context;
    this.#response = response;
  }

  async add(): Answered {
    const request = this.#admit() ?? (await this.#read(undefined));
    if (request.kind === "error") return request;
    if (request.kind === "opt-out") return LEAVES_OTHERWISE;
    const { optIns } = this.context;
    const said = this.#token() ?? request.token;
    // Sent twice, by who has not heard the answer to the first: it is that mirror.
    const before = said === undefined ? undefined : await optIns.read(request.declared.name);
    const isAgain = said !== undefined && before?.kind === "found" && isProofOf(before.record, proofOfToken(said));
    if (isAgain) return this.#send(await optIns.change(request.declared, said));
    const outcome = await optIns.join(request.declared, said);
    if (outcome.kind !== "added") return this.#send(outcome);
    const { record, token } = outcome;
    this.ctx.set("Location", `/api/mirrors/${record.name}`);
    sendApi(this.ctx, 201, {
      name: record.name,
      state: record.state,
      reason: record.reason,
      token,
      proof: proofOf(record),
    });
    return undefined;
  }

  async show(name: string): Answered {
    const record = await this.context.optIns.read(name);
    if (record.kind === "refused") return errorOf(record);
    const token = this.#token();
    const isOwn = token !== undefined && isProofOf(record.record, proofOfToken(token));
    sendApi(this.ctx, 200, showMirror(record.record, isOwn));
    return undefined;
  }

  async change(name: string): Answered {
    const request = this.#admit() ?? (await this.#read(name));
    if (request.kind === "error") return request;
    const token = this.#token() ?? request.token;
    if (token === undefined) return NO_TOKEN;
    const { optIns } = this.context;
    return this.#send(
      request.kind === "opt-out" ? await optIns.leave(name, token) : await optIns.change(request.declared, token),
    );
  }

  async remove(name: string): Answered {
    const refused = this.#admit();
    if (refused !== undefined) return refused;
    const token = this.#token();
    return token === undefined ? NO_TOKEN : this.#send(await this.context.optIns.leave(name, token));
  }

  async checkIn(name: string): Answered {
    const refused = this.#admit(CHECK_INS_PER_WRITE);
    if (refused !== undefined) return refused;
    const { optIns, gate } = this.context;
    const noted = gate.isNews(name) ? await optIns.checkIn(name) : await optIns.read(name);
    if (noted.kind === "refused") return errorOf(noted);
    const { state, probeWantedAt } = noted.record;
    sendApi(this.ctx, 202, { name, state, probeWantedAt });
    return undefined;
  }

  #send(outcome: Outcome): ApiError | undefined {
    if (outcome.kind === "refused") return errorOf(outcome);
    const { record } = outcome;
    if (outcome.kind === "removed") sendApi(this.ctx, 200, { name: record.name, removed: true });
    else sendApi(this.ctx, 200, { ...showMirror(record, true), changed: outcome.kind === "changed" });
    return undefined;
  }

  /** What a page of another site makes a browser send, and what is too much of one network, is not looked at. */
  #admit(times = 1): ApiError | undefined {
    const { client, forwarded } = this.ctx.state;
    const origin = this.ctx.get("origin");
    const host = origin === "" ? forwarded.host : URL.parse(origin)?.host;
    if (this.ctx.get("sec-fetch-site") === "cross-site" || host !== forwarded.host) {
      return apiError("CROSS_SITE", "sent by a page of another site", "send it with a program, such as curl");
    }
    const key = times === 1 ? client.prefix : `${client.prefix} check-in`;
    const retryAfter = this.context.gate.admit(key, times * this.context.config.optin.perHour);
    if (retryAfter === undefined) return undefined;
    const hint = `try again in ${retryAfter} s`;
    return apiError("TOO_MANY", `too many requests from ${client.prefix}`, hint, { retryAfter });
  }

  /** The body; a name that the path has need not be in it. */
  async #read(name: string | undefined): Promise<Request | ApiError> {
    const body = await readBody(this.ctx.req, this.#response);
    if ("kind" in body) return body;
    const parse = body.isJson ? parseOptInJson : parseOptIn;
    const parsed = parse(body.text, rulesOf(this.context.config));
    if (!parsed.ok) {
      const message = parsed.problems.map(describeProblem).join("; ");
      return apiError("INVALID", message, "correct it and send it again", { problems: parsed.problems });
    }
    const said = parsed.data.kind === "opt-in" ? parsed.data.declared.name : parsed.data.name;
    if (name === undefined || said === name) return parsed.data;
    return apiError("INVALID", `name: ${said}, and the path says ${name}`, "a mirror keeps its name: opt in anew");
  }

  #token(): string | undefined {
    return /^Bearer ([0-9a-f]{64})$/i.exec(this.ctx.get("authorization"))?.[1]?.toLowerCase();
  }
}

function describeProblem({ line, key, reason }: Problem): string {
  const place = [line === undefined ? "" : `line ${line}`, key].filter((part) => part !== "").join(", ");
  return place === "" ? reason : `${place}: ${reason}`;
}

const NO_TOKEN = apiError("TOKEN_WRONG", "no token", "send it along: Authorization: Bearer TOKEN");
const LEAVES_OTHERWISE = apiError("INVALID", "optOut: true", "to leave: DELETE /api/mirrors/NAME, with the token");
