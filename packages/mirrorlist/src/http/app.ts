import { isNearlayerError } from "@nearlayer/shared/errors";
import Koa from "koa";
import { specError } from "../spec-error.ts";
import { accessLog } from "./access-log.ts";
import { sendError } from "./answers.ts";
import { createBaseUrlOf } from "./base-url.ts";
import type { AppDeps, Context, RequestState } from "./deps.ts";
import { pages } from "./pages.ts";
import { registry } from "./registry.ts";

const NOTHING_THERE = ["nothing is answered under this path", 404] as const;
const READ_ONLY = ["GET and HEAD are all that is answered here", 405] as const;

/** The whole of what is answered over HTTP. `createApp(deps).callback()` needs no port. */
export function createApp(deps: AppDeps): Koa<RequestState> {
  const context: Context = { ...deps, baseUrlOf: createBaseUrlOf(deps.config.mirrorlist.publicUrl) };
  const app = new Koa<RequestState>();
  // Koa's own handler would print to stderr what is logged here: clients that leave in the middle of a blob.
  app.on("error", (error) => deps.log.debug({ err: error }, "an answer broke off"));
  app.use(accessLog(deps));
  app.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      deps.log.error({ err: error }, "a request failed");
      if (!isNearlayerError(error, "CATALOG_FAILED"))
        return sendError(ctx, specError("UNKNOWN", "something went wrong here"));
      // What is not in memory may be in the catalog: nobody knows just now, which is not a 404.
      ctx.set("Retry-After", "5");
      sendError(ctx, specError("UNKNOWN", "the catalog cannot be read just now", undefined, 503));
    }
  });
  app.use(registry(context));
  app.use(pages(context));
  app.use((ctx) => {
    if (ctx.status !== 404) return;
    const isRead = ctx.method === "GET" || ctx.method === "HEAD";
    const [message, status] = isRead ? NOTHING_THERE : READ_ONLY;
    sendError(ctx, specError("UNSUPPORTED", message, ctx.path, status));
  });
  return app;
}
