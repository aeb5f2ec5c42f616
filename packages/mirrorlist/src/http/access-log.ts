import type { Middleware } from "koa";
import { clientOf } from "../selection/client.ts";
import { parseNetblock } from "../selection/netblock.ts";
import type { AppDeps, RequestState } from "./deps.ts";
import { readForwarded } from "./forwarded.ts";

/** The most of a user agent that is logged. */
const MAX_AGENT = 80;

/**
 * Says who asks, for everything after it, and writes one line per request when its answer has gone out: the client
 * as its prefix and country, never its whole address.
 */
export function accessLog({ config, geo, log, now }: AppDeps): Middleware<RequestState> {
  const trusted = config.mirrorlist.trustedProxies.map(parseNetblock);
  return async (ctx, next) => {
    const started = now();
    const forwarded = readForwarded(ctx.req, trusted);
    const client = clientOf(forwarded.address, geo.locate(forwarded.address));
    const entry = { kind: "page" };
    Object.assign(ctx.state, { forwarded, client, entry });
    ctx.res.once("close", () => {
      const agent = ctx.get("user-agent").slice(0, MAX_AGENT);
      const { prefix, country } = client;
      const aborted = ctx.res.writableFinished ? {} : { aborted: true };
      const ms = now() - started;
      log.info(
        { ...entry, method: ctx.method, status: ctx.res.statusCode, client: prefix, country, agent, ms, ...aborted },
        "request",
      );
    });
    await next();
  };
}
