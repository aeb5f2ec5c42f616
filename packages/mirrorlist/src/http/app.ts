import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { isNearlayerError } from "@nearlayer/shared/errors";
import Koa from "koa";
import { isRegistryPath, rawPath } from "../request.ts";
import { specError } from "../spec-error.ts";
import { createWritten } from "../variants/written.ts";
import { type Admit, createAdmit } from "./access-log.ts";
import { sendError } from "./answers.ts";
import { answerApi, isApiPath } from "./api/api.ts";
import { createBaseUrlOf } from "./base-url.ts";
import type { AppDeps, Context, RequestState } from "./deps.ts";
import { type Ctx, Exchange } from "./exchange.ts";
import { pages } from "./pages.ts";
import { answerRegistry } from "./registry.ts";

const NOTHING_THERE = ["nothing is answered under this path", 404] as const;
const READ_ONLY = ["GET and HEAD are all that is answered here", 405] as const;

/**
 * The whole of what is answered over HTTP; needs no port. Pages are Koa's. What clients pull is answered ahead of it:
 * Koa's layers would take as long as everything else together.
 */
export function createApp(deps: AppDeps): { callback(): RequestListener } {
  const baseUrlOf = createBaseUrlOf(deps.config.mirrorlist.publicUrl);
  const context: Context = { ...deps, baseUrlOf, written: createWritten() };
  const admit = createAdmit(deps);
  const answerPage = createPages(context, admit);
  return {
    callback: () => (request, response) => {
      // 1. The raw path: a framework's own would be decoded or resolved by somebody sooner or later.
      const path = rawPath(request.url ?? "/");
      if (isRegistryPath(path)) answerPull(context, admit, request, response, path);
      else if (isApiPath(path)) void answerApi(context, admit, request, response, path);
      else void answerPage(request, response);
    },
  };
}

/** What is answered from memory is ready before this returns, and sent with all else that came in with it. */
function answerPull(
  context: Context,
  admit: Admit,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void {
  const exchange = new Exchange(request, response, admit(request, response));
  const fail = (error: unknown) => answerFailure(exchange, context, error);
  const breakOff = (error: unknown) => {
    // Clients that leave in the middle of a blob.
    context.log.debug({ err: error }, "an answer broke off");
    response.destroy();
  };
  const send = () => {
    try {
      exchange.send()?.catch(breakOff);
    } catch (error) {
      breakOff(error);
    }
  };
  try {
    const answered = answerRegistry(exchange, context, path);
    if (answered instanceof Promise) return void answered.catch(fail).then(send);
  } catch (error) {
    fail(error);
  }
  send();
}

/** What a handler throws is an answer too. */
function answerFailure(ctx: Ctx, { log }: Context, error: unknown): void {
  log.error({ err: error }, "a request failed");
  if (!isNearlayerError(error, "CATALOG_FAILED")) {
    sendError(ctx, specError("UNKNOWN", "something went wrong here"));
    return;
  }
  // What is not in memory may be in the catalog: nobody knows just now, which is not a 404.
  ctx.set("Retry-After", "5");
  sendError(ctx, specError("UNKNOWN", "the catalog cannot be read just now", undefined, 503));
}

function createPages(context: Context, admit: Admit): RequestListener {
  const app = new Koa<RequestState>();
  app.on("error", (error) => context.log.debug({ err: error }, "an answer broke off"));
  app.use(async (ctx, next) => {
    Object.assign(ctx.state, admit(ctx.req, ctx.res));
    try {
      await next();
    } catch (error) {
      answerFailure(ctx, context, error);
    }
  });
  app.use(pages(context));
  app.use((ctx) => {
    if (ctx.status !== 404) return;
    const isRead = ctx.method === "GET" || ctx.method === "HEAD";
    const [message, status] = isRead ? NOTHING_THERE : READ_ONLY;
    sendError(ctx, specError("UNSUPPORTED", message, ctx.path, status));
  });
  return app.callback();
}
