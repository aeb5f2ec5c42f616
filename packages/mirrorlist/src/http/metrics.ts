import Router from "@koa/router";
import Koa from "koa";
import { specError } from "../spec-error.ts";
import { type Ctx, queryOf, sendError, sendJson } from "./answers.ts";
import type { AppDeps, RequestState } from "./deps.ts";

type MonitoringDeps = Pick<AppDeps, "metrics" | "readiness" | "log">;

/**
 * What watches us: `/healthz` (this process answers), `/readyz` (clients can be sent here), `/metrics`. A catalog that
 * cannot be read is 200 with `degraded`: pulls go on from memory, and as all instances share the catalog, a balancer
 * would else take out all of them at once. `?strict` makes it 503, for those who want to be told.
 */
export function addMonitoring(router: Router<RequestState>, deps: MonitoringDeps, { hasMetrics = true } = {}): void {
  router.get("/healthz", (ctx) => {
    ctx.state.entry.kind = "health";
    sendJson(ctx, { status: "ok" });
  });
  router.get("/readyz", (ctx) => answerReady(ctx, deps));
  if (hasMetrics) router.get("/metrics", (ctx) => answerMetrics(ctx, deps));
}

function answerReady(ctx: Ctx, { readiness }: MonitoringDeps): void {
  ctx.state.entry.kind = "health";
  const { state, reasons } = readiness();
  sendJson(ctx, { status: state, reasons });
  ctx.set("Cache-Control", "no-store");
  if (state === "not ready" || (state === "degraded" && queryOf(ctx).has("strict"))) ctx.status = 503;
}

async function answerMetrics(ctx: Ctx, { metrics }: MonitoringDeps): Promise<void> {
  ctx.state.entry.kind = "metrics";
  const { registry } = metrics;
  ctx.body = Buffer.from(await registry.metrics());
  ctx.status = 200;
  ctx.set("Content-Type", registry.contentType);
}

/** The same on an address of its own (`mirrorlist.metrics.listen`), and nothing else: no line is logged for it. */
export function createMonitoringApp(deps: MonitoringDeps): Koa<RequestState> {
  const app = new Koa<RequestState>();
  app.on("error", (error) => deps.log.debug({ err: error }, "an answer broke off"));
  const router = new Router<RequestState>();
  addMonitoring(router, deps);
  app.use(async (ctx, next) => {
    ctx.state.entry = { kind: "page" };
    await next();
    if (ctx.status === 404)
      sendError(ctx, specError("UNSUPPORTED", "only /metrics, /healthz and /readyz", undefined, 404));
  });
  app.use(router.routes() as unknown as Koa.Middleware<RequestState>);
  return app;
}
