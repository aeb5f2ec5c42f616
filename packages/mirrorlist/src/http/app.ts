import Koa from "koa";
import { specError } from "../spec-error.ts";
import { accessLog } from "./access-log.ts";
import { sendError } from "./answers.ts";
import { createBaseUrlOf } from "./base-url.ts";
import type { AppDeps, Context, RequestState } from "./deps.ts";
import { pages } from "./pages.ts";
import { registry } from "./registry.ts";

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
      sendError(ctx, specError("UNKNOWN", "something went wrong here"));
    }
  });
  app.use(registry(context));
  app.use(pages(context));
  app.use((ctx) => {
    if (ctx.status === 404)
      sendError(ctx, specError("UNSUPPORTED", "nothing is answered under this path", ctx.path, 404));
  });
  return app;
}
