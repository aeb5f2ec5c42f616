import type { IncomingMessage, ServerResponse } from "node:http";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Logger } from "@nearlayer/shared/log";
import { type Client, clientOf } from "../selection/client.ts";
import { parseNetblock } from "../selection/netblock.ts";
import type { AppDeps, RequestState } from "./deps.ts";
import { readForwarded } from "./forwarded.ts";

type Shown = Config["mirrorlist"]["logClientAddress"];

/** The most of a user agent that is logged. */
const MAX_AGENT = 80;

/** Says who asks. When the answer has gone out, it is counted and logged. */
export type Admit = (request: IncomingMessage, response: ServerResponse) => RequestState;

/**
 * The line of the log says what was asked, the client as its prefix and country and never as its whole address unless
 * the operator wants that, the mirror, its rank, and the time in milliseconds.
 */
export function createAdmit(
  deps: Pick<AppDeps, "config" | "geo" | "metrics"> & { readonly log: Pick<Logger, "info"> },
): Admit {
  const { config, geo, log, metrics } = deps;
  const trusted = config.mirrorlist.trustedProxies.map(parseNetblock);
  const show = config.mirrorlist.logClientAddress;
  return (request, response) => {
    const started = performance.now();
    const forwarded = readForwarded(request, trusted);
    const client = clientOf(forwarded.address, geo.locate(forwarded.address));
    const state: RequestState = { forwarded, client, entry: { kind: "page" } };
    response.once("close", () => {
      const ms = performance.now() - started;
      const isAborted = !response.writableFinished;
      const { statusCode: status } = response;
      const { entry } = state;
      metrics.answered({ entry, status, seconds: ms / 1000, isAborted });
      const line = {
        ...entry,
        originBytes: entry.originBytes?.(),
        method: request.method,
        status,
        ...describeClient(client, show),
        agent: request.headers["user-agent"]?.slice(0, MAX_AGENT) ?? "",
        ms: Math.round(ms * 10) / 10,
        ...(isAborted ? { aborted: true } : {}),
      };
      log.info(line, "request");
    });
    return state;
  };
}

function describeClient({ address, prefix, country }: Client, show: Shown) {
  if (show === "none") return { country };
  return { client: show === "full" ? address.toString() : prefix, country };
}
