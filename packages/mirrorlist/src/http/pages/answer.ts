import { createHash } from "node:crypto";
import type { ParameterizedContext } from "koa";
import { createLru } from "../../lru.ts";
import type { Context, RequestState } from "../deps.ts";
import { matchesEtag } from "../range.ts";
import type { Asset } from "./assets.ts";
import { type Page, renderPage } from "./layout.ts";
import { SCRIPT_SOURCE } from "./script.ts";

export type PageCtx = ParameterizedContext<RequestState>;

const CSP = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  `script-src ${SCRIPT_SOURCE}`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Nothing is loaded from elsewhere, nothing but our own script runs, and nobody is told who looked at what. */
export function setSecurityHeaders(ctx: PageCtx): void {
  ctx.set("Content-Security-Policy", CSP);
  ctx.set("X-Content-Type-Options", "nosniff");
  ctx.set("Referrer-Policy", "no-referrer");
}

/** Answers with a text, or with 304 to who has it. `maxAge` is in seconds; without it, nobody keeps it. */
export function sendText(ctx: PageCtx, type: string, text: string, maxAge?: number): void {
  ctx.status = 200;
  ctx.set("Content-Type", type);
  ctx.set("X-Content-Type-Options", "nosniff");
  ctx.set("Cache-Control", maxAge === undefined ? "private, no-store" : `public, max-age=${maxAge}`);
  if (maxAge !== undefined) {
    const etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
    ctx.set("ETag", etag);
    if (matchesEtag(ctx.get("if-none-match") || undefined, etag)) {
      ctx.status = 304;
      return;
    }
  }
  ctx.body = Buffer.from(text);
}

export function sendAsset(ctx: PageCtx, { type, content }: Asset, maxAge = 31_536_000): void {
  ctx.status = 200;
  ctx.set("Content-Type", type);
  ctx.set("X-Content-Type-Options", "nosniff");
  ctx.set("Cache-Control", `public, max-age=${maxAge}${maxAge > 86_400 ? ", immutable" : ""}`);
  ctx.body = content;
}

/** Sends a page that is made for this one request: what is wrong, and what hangs on who asks. */
export function sendPage(ctx: PageCtx, page: Page, { geo }: Pick<Context, "geo">): void {
  setSecurityHeaders(ctx);
  sendText(ctx, "text/html; charset=utf-8", renderPage(page, geo.attributions));
  ctx.status = page.status ?? 200;
}

/** How long a page is shown as it is before it is made anew, in ms, and how long browsers may keep it, in seconds. */
const FOR_MS = 2000;
const MAX_AGE = 5;
/** Characters of pages that are kept, and the longest URL whose page is. */
const REMEMBERED = 16_000_000;
const MAX_URL = 500;

/** Sends the page of a URL. */
export type ShowPage = (ctx: PageCtx, make: () => Promise<Page>) => Promise<void>;

/**
 * Pages that are the same for everybody are made once in two seconds at most, however many look; what that costs stands
 * at each of them. They hang on the URL and on the name that we are called by. An error is made anew each time.
 */
export function createShowPage({ geo, now }: Pick<Context, "geo" | "now">): ShowPage {
  const known = createLru<string, { readonly at: number; readonly text: string }>(
    REMEMBERED,
    ({ text }) => text.length,
  );
  const underWay = new Map<string, Promise<Page>>();
  return async (ctx, make) => {
    const { host, scheme } = ctx.state.forwarded;
    const key = `${scheme} ${host} ${ctx.url}`;
    const last = known.get(key);
    const age = last === undefined ? Number.POSITIVE_INFINITY : now() - last.at;
    let text = age >= 0 && age < FOR_MS ? last?.text : undefined;
    if (text === undefined) {
      const making = underWay.get(key) ?? make().finally(() => underWay.delete(key));
      underWay.set(key, making);
      const page = await making;
      if (page.status !== undefined) return sendPage(ctx, page, { geo });
      text = renderPage(page, geo.attributions);
      if (ctx.url.length <= MAX_URL) known.set(key, { at: now(), text });
    }
    setSecurityHeaders(ctx);
    sendText(ctx, "text/html; charset=utf-8", text, MAX_AGE);
  };
}
