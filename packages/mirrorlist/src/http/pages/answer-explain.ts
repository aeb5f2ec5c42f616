import { isNearlayerError } from "@nearlayer/shared/errors";
import { parseReference, type Reference } from "@nearlayer/shared/reference";
import { type Explanation, explain } from "../../explain/explain.ts";
import { parseAddress } from "../../selection/client.ts";
import { type SpecError, specError } from "../../spec-error.ts";
import { queryOf, sendError, sendJson } from "../answers.ts";
import type { Context } from "../deps.ts";
import { type PageCtx, sendPage } from "./answer.ts";
import { explainPage, PAGE_LAYERS } from "./explain-page.ts";

/**
 * `/explain?image=REPOSITORY[:TAG]&ip=ADDRESS`; without an address, the asker's own. JSON, but for who prefers HTML; `format`
 * says which, whatever is preferred.
 */
export async function answerExplain(ctx: PageCtx, context: Context): Promise<void> {
  ctx.state.entry.kind = "explain";
  const query = queryOf(ctx);
  ctx.vary("Accept");
  const format = query.get("format") ?? ctx.accepts("json", "html");
  await (format === "html" ? answerForm(ctx, context, query) : answerJson(ctx, context, query));
}

async function answerForm(ctx: PageCtx, context: Context, query: URLSearchParams): Promise<void> {
  const image = query.get("image");
  const isEmpty = image === null || image.trim() === "";
  const outcome = isEmpty ? undefined : await explained(ctx, context, query, PAGE_LAYERS);
  const form = { image: image ?? "", ip: query.get("ip") ?? "", own: ctx.state.client.address.toString() };
  sendPage(ctx, explainPage(form, outcome), context);
}

async function answerJson(ctx: PageCtx, context: Context, query: URLSearchParams): Promise<void> {
  const outcome = await explained(ctx, context, query);
  ctx.set("Cache-Control", "no-store");
  if (outcome.kind === "error") sendError(ctx, outcome);
  else sendJson(ctx, outcome);
}

async function explained(
  ctx: PageCtx,
  { snapshot, network, geo, config, now }: Context,
  query: URLSearchParams,
  maxLayers?: number,
): Promise<Explanation | SpecError> {
  const ip = query.get("ip")?.trim() ?? "";
  const address = ip === "" ? ctx.state.client.address : parseAddress(ip);
  if (address === undefined) return specError("UNSUPPORTED", "ip is not an address", ip, 400);
  const reference = readReference(query.get("image"));
  if (typeof reference === "string") return specError("NAME_INVALID", reference);
  const deps = { snapshot: snapshot(), mirrors: network.mirrors(), geo, config, now: now() };
  return explain(deps, reference, address, maxLayers);
}

/** The reference, or what is wrong with it. */
function readReference(image: string | null): Reference | string {
  if (image === null) return "name an image: /explain?image=REPOSITORY[:TAG]&ip=ADDRESS";
  try {
    return parseReference(image.trim().slice(0, 500));
  } catch (error) {
    if (isNearlayerError(error)) return error.message;
    throw error;
  }
}
