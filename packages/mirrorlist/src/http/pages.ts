import Router from "@koa/router";
import { isNearlayerError } from "@nearlayer/shared/errors";
import type { Middleware } from "koa";
import { rawPath } from "../request.ts";
import { queryOf, sendJson } from "./answers.ts";
import type { Context, RequestState } from "./deps.ts";
import { addMonitoring } from "./metrics.ts";
import { createShowPage, type PageCtx, sendAsset, sendPage, sendText } from "./pages/answer.ts";
import { answerExplain } from "./pages/answer-explain.ts";
import { answerBadge, answerMirror } from "./pages/answer-mirror.ts";
import { answerReference } from "./pages/answer-reference.ts";
import { ASSETS, FAVICON_ICO, ROBOTS } from "./pages/assets.ts";
import { baseUrlOf, registryName } from "./pages/commands.ts";
import { FAILED_PAGE, notFoundPage } from "./pages/error-page.ts";
import { hostList, mirrorsPage } from "./pages/mirrors-page.ts";
import { placesOf, showNetwork } from "./pages/network.ts";
import { startPage } from "./pages/start-page.ts";

/** What is answered beside `/v2/`: for people, and for what watches us. `docs/pages.md` has the list. */
export function pages(context: Context): Middleware<RequestState> {
  const router = new Router<RequestState>();
  const show = createShowPage(context);
  const { publicUrl } = context.config.mirrorlist;

  router.get("/", (ctx) =>
    show(ctx, async () => {
      const registry = registryName(publicUrl, ctx.state.forwarded);
      return startPage(queryOf(ctx), { ...(await showNetwork(context)), registry });
    }),
  );
  router.get("/r/{*reference}", (ctx) => answerReference(ctx, context, show));
  router.get("/mirrors", (ctx) =>
    show(ctx, async () => {
      const shown = await showNetwork(context);
      const optInUrl = `${baseUrlOf(registryName(publicUrl, ctx.state.forwarded))}/api/mirrors`;
      return mirrorsPage(queryOf(ctx), {
        ...{ ...shown, onMap: placesOf(shown, context.network) },
        optInUrl: context.config.optin.api ? optInUrl : undefined,
      });
    }),
  );
  router.get("/mirrors/:name", (ctx) => answerMirror(ctx, context, show));
  router.get("/mirrors/:name/badge.svg", (ctx) => answerBadge(ctx, context));
  router.get("/mirrors.json", async (ctx) => sendJson(ctx, { mirrors: (await showNetwork(context)).mirrors }));
  router.get("/mirrors.txt", async (ctx) =>
    sendText(ctx, "text/plain; charset=utf-8", hostList((await showNetwork(context)).mirrors), 60),
  );
  router.get("/explain", (ctx) => answerExplain(ctx, context));
  for (const asset of ASSETS) router.get(asset.path, (ctx) => sendAsset(ctx, asset));
  router.get(FAVICON_ICO.path, (ctx) => sendAsset(ctx, FAVICON_ICO, 86_400));
  router.get("/robots.txt", (ctx) => sendText(ctx, "text/plain; charset=utf-8", ROBOTS, 86_400));
  addMonitoring(router, context, { hasMetrics: context.config.mirrorlist.metrics.listen === undefined });

  const routes = router.routes() as unknown as Middleware<RequestState>;
  return (ctx, next) => {
    if (!isForPeople(ctx)) return routes(ctx as never, next);
    return answerPeople(ctx, context, () => routes(ctx as never, async () => undefined));
  };
}

/** What goes wrong is a page for who came with a browser; programs get the specification's error JSON from the app. */
async function answerPeople(ctx: PageCtx, context: Context, answer: () => Promise<unknown>): Promise<void> {
  try {
    await answer();
    const isNothing = ctx.status === 404 && ctx.body == null;
    if (isNothing) sendPage(ctx, notFoundPage("Nothing is answered under this address."), context);
  } catch (error) {
    context.log.error({ err: error, path: rawPath(ctx.url) }, "a page failed");
    ctx.state.entry.error = isNearlayerError(error) ? error.code : "UNKNOWN";
    sendPage(ctx, FAILED_PAGE, context);
  }
}

/** Pages are read; whatever else is sent to one is a program's mistake. */
function isForPeople(ctx: PageCtx): boolean {
  const isRead = ctx.method === "GET" || ctx.method === "HEAD";
  return isRead && ctx.accepts("json", "html") === "html";
}
