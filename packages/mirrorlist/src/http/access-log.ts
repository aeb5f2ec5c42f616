import type { IncomingMessage, ServerResponse } from "node:http";
import type { Config } from "@nearlayer/shared/config/schema";
import { lineWriter } from "@nearlayer/shared/log";
import { type Client, clientOf } from "../selection/client.ts";
import { parseNetblock } from "../selection/netblock.ts";
import type { AccessEntry, AppDeps, RequestState } from "./deps.ts";
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
export function createAdmit(deps: Pick<AppDeps, "config" | "geo" | "log" | "metrics">): Admit {
  const { config, geo, log, metrics } = deps;
  const trusted = config.mirrorlist.trustedProxies.map(parseNetblock);
  const show = config.mirrorlist.logClientAddress;
  const writeLine = lineWriter(log, "request");
  return (request, response) => {
    const started = performance.now();
    const forwarded = readForwarded(request, trusted);
    const client = clientOf(forwarded.address, geo.locate(forwarded.address));
    const state: RequestState = { forwarded, client, entry: { kind: "page" } };
    response.on("close", () => {
      const ms = performance.now() - started;
      const isAborted = !response.writableFinished;
      const { statusCode: status } = response;
      const { entry } = state;
      metrics.answered({ entry, status, seconds: ms / 1000, isAborted });
      writeLine?.(
        formatEntry(entry) +
          formatClient(client, show) +
          `,"method":"${request.method}","status":${status}` +
          `,"agent":${JSON.stringify(request.headers["user-agent"]?.slice(0, MAX_AGENT) ?? "")}` +
          `,"ms":${Math.round(ms * 10) / 10}${isAborted ? ',"aborted":true' : ""}`,
      );
    });
    return state;
  };
}

/** What stands between quotes as it is has been checked, or is one of our own words. */
function formatEntry(entry: AccessEntry): string {
  const { kind, repository, reference, digest, delivery, mirror, rank, failover, error, originBytes } = entry;
  return (
    `"kind":"${kind}"${member("repository", repository)}` +
    member("reference", reference) +
    member("digest", digest) +
    member("delivery", delivery) +
    member("mirror", mirror) +
    member("rank", rank) +
    (failover === undefined ? "" : `,"failover":${failover}`) +
    member("error", error) +
    (originBytes === undefined ? "" : `,"originBytes":${originBytes()}`)
  );
}

function formatClient({ address, prefix, country }: Client, show: Shown): string {
  const shown = show === "none" ? undefined : show === "full" ? address.toString() : prefix;
  return member("client", shown) + member("country", country);
}

const member = (name: string, checked: string | undefined) => (checked === undefined ? "" : `,"${name}":"${checked}"`);
