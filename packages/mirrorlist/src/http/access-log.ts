import type { Config } from "@nearlayer/shared/config/schema";
import type { Logger } from "@nearlayer/shared/log";
import type { Middleware } from "koa";
import { type Client, clientOf } from "../selection/client.ts";
import { parseNetblock } from "../selection/netblock.ts";
import type { AppDeps, RequestState } from "./deps.ts";
import { readForwarded } from "./forwarded.ts";

type Shown = Config["mirrorlist"]["logClientAddress"];

/** The most of a user agent that is logged. */
const MAX_AGENT = 80;

/**
 * Says who asks, for everything after it. When the answer has gone out, it is counted, and one line is written: what
 * was asked, the client as its prefix and country and never as its whole address unless the operator wants that, the
 * mirror, its rank, and the time in milliseconds.
 */
export function accessLog(
  deps: Pick<AppDeps, "config" | "geo" | "metrics"> & { readonly log: Pick<Logger, "info"> },
): Middleware<RequestState> {
  const { config, geo, log, metrics } = deps;
  const trusted = config.mirrorlist.trustedProxies.map(parseNetblock);
  const show = config.mirrorlist.logClientAddress;
  return async (ctx, next) => {
    const started = performance.now();
    const forwarded = readForwarded(ctx.req, trusted);
    const client = clientOf(forwarded.address, geo.locate(forwarded.address));
    Object.assign(ctx.state, { forwarded, client, entry: { kind: "page" } });
    ctx.res.once("close", () => {
      const ms = performance.now() - started;
      const isAborted = !ctx.res.writableFinished;
      const { entry } = ctx.state;
      metrics.answered({ entry, status: ctx.res.statusCode, seconds: ms / 1000, isAborted });
      const line = {
        ...entry,
        originBytes: entry.originBytes?.(),
        digest: ctx.res.getHeader("docker-content-digest"),
        method: ctx.method,
        status: ctx.res.statusCode,
        ...describeClient(client, show),
        agent: ctx.get("user-agent").slice(0, MAX_AGENT),
        ms: Math.round(ms * 10) / 10,
        ...(isAborted ? { aborted: true } : {}),
      };
      log.info(line, "request");
    });
    await next();
  };
}

function describeClient({ address, prefix, country }: Client, show: Shown) {
  if (show === "none") return { country };
  return { client: show === "full" ? address.toString() : prefix, country };
}
