import Router from "@koa/router";
import { isNearlayerError } from "@nearlayer/shared/errors";
import { parseReference, type Reference } from "@nearlayer/shared/reference";
import type { Middleware } from "koa";
import { explain } from "../explain/explain.ts";
import { describeMirror } from "../mirrors/describe.ts";
import { parseAddress } from "../selection/client.ts";
import { specError } from "../spec-error.ts";
import { type Ctx, queryOf, sendError, sendJson } from "./answers.ts";
import type { Context, RequestState } from "./deps.ts";
import { homePage } from "./home-page.ts";
import { addMonitoring } from "./metrics.ts";

/** What is answered beside `/v2/`: for people, and for what watches us. */
export function pages(context: Context): Middleware<RequestState> {
  const router = new Router<RequestState>();
  const descriptions = () => {
    const { generations } = context.snapshot();
    return context.network.mirrors().map((mirror) => describeMirror(mirror, generations));
  };
  router.get("/", (ctx) => {
    ctx.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    ctx.type = "html";
    ctx.body = homePage(descriptions(), context.snapshot(), context.geo.attributions);
  });
  router.get("/mirrors.json", (ctx) => sendJson(ctx, { mirrors: descriptions() }));
  router.get("/explain", (ctx) => answerExplain(ctx, context));
  addMonitoring(router, context, { hasMetrics: context.config.mirrorlist.metrics.listen === undefined });
  return router.routes() as unknown as Middleware<RequestState>;
}

/** `/explain?image=REPOSITORY[:TAG]&ip=ADDRESS`; without an address, the asker's own. */
function answerExplain(ctx: Ctx, { snapshot, network, geo, config, now }: Context) {
  ctx.state.entry.kind = "explain";
  const query = queryOf(ctx);
  const ip = query.get("ip");
  const address = ip === null ? ctx.state.client.address : parseAddress(ip);
  if (address === undefined) return sendError(ctx, specError("UNSUPPORTED", "ip is not an address", ip ?? "", 400));
  const reference = readReference(query.get("image"));
  if (typeof reference === "string") return sendError(ctx, specError("NAME_INVALID", reference));
  const deps = { snapshot: snapshot(), mirrors: network.mirrors(), geo, config, now: now() };
  const explanation = explain(deps, reference, address);
  if (explanation.kind === "error") return sendError(ctx, explanation);
  ctx.set("Cache-Control", "no-store");
  sendJson(ctx, explanation);
}

/** The reference, or what is wrong with it. */
function readReference(image: string | null): Reference | string {
  if (image === null) return "name an image: /explain?image=REPOSITORY[:TAG]&ip=ADDRESS";
  try {
    return parseReference(image.slice(0, 500));
  } catch (error) {
    if (isNearlayerError(error)) return error.message;
    throw error;
  }
}
