import type { Problem } from "@nearlayer/shared/config/yaml";
import type { Refusal, RefusalCode } from "../../optin/refusal.ts";
import type { Ctx } from "../exchange.ts";

/** What can go wrong with a request as such, besides what is refused. */
export type ApiCode =
  | RefusalCode
  | "NOT_FOUND" // there is nothing under this path
  | "METHOD" // not with this method
  | "TOO_LARGE"
  | "MEDIA_TYPE"
  | "CROSS_SITE" // a page of another site has made a browser send it
  | "UNAVAILABLE" // the catalog is out of reach
  | "INTERNAL";

/** The one form that errors have: `{"error": {code, message, hint, problems}}`; docs/mirrors.md has it. */
export interface ApiError {
  readonly kind: "error";
  readonly code: ApiCode;
  readonly message: string;
  readonly hint: string;
  /** What is wrong with the body, place by place. */
  readonly problems?: readonly Problem[];
  /** Seconds. */
  readonly retryAfter?: number;
  readonly allow?: string;
}

const STATUS: Readonly<Record<ApiCode, number>> = {
  INVALID: 400,
  TOKEN_WRONG: 401,
  DISABLED: 403,
  CROSS_SITE: 403,
  UNKNOWN: 404,
  NOT_FOUND: 404,
  OFF: 404,
  METHOD: 405,
  TAKEN: 409,
  DECLARED: 409,
  TOO_LARGE: 413,
  MEDIA_TYPE: 415,
  TOO_MANY: 429,
  INTERNAL: 500,
  FULL: 503,
  UNAVAILABLE: 503,
};

export function apiError(
  code: ApiCode,
  message: string,
  hint: string,
  more: Pick<ApiError, "problems" | "retryAfter" | "allow"> = {},
): ApiError {
  return { kind: "error", code, message, hint, ...more };
}

/** Pending mirrors are checked, or run out of time: that takes hours rather than minutes. */
const FULL_RETRY_S = 3600;

export function errorOf({ code, message, hint }: Refusal): ApiError {
  return apiError(code, message, hint, code === "FULL" ? { retryAfter: FULL_RETRY_S } : {});
}

export function sendApiError(ctx: Ctx, { code, message, hint, problems, retryAfter, allow }: ApiError): void {
  ctx.state.entry.error = code;
  if (retryAfter !== undefined) ctx.set("Retry-After", String(retryAfter));
  if (allow !== undefined) ctx.set("Allow", allow);
  if (code === "TOKEN_WRONG") ctx.set("WWW-Authenticate", 'Bearer realm="mirrors"');
  // What else is sent is not read.
  if (code === "TOO_LARGE" || code === "MEDIA_TYPE") ctx.set("Connection", "close");
  sendApi(ctx, STATUS[code], { error: { code, message, hint, ...(problems === undefined ? {} : { problems }) } });
}

export function sendApi(ctx: Ctx, status: number, value: unknown): void {
  ctx.status = status;
  ctx.set("Content-Type", "application/json");
  ctx.set("Cache-Control", "no-store");
  ctx.body = Buffer.from(`${JSON.stringify(value)}\n`);
}
