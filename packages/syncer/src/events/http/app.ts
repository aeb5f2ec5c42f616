import type { EventCounts } from "@nearlayer/shared/catalog/events";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import Koa, { type Context } from "koa";
import getRawBody from "raw-body";
import type { Metrics } from "../metrics.ts";

/** What takes a webhook; it gets the body once the request is let in by its head, and throws to refuse it. */
export interface Hook {
  /** Is the sender who it should be, as far as the head of the request can tell? */
  readonly isLetIn: (context: Context) => boolean;
  /** Resolves once what was sent is written down. `body` is undefined where it was too large. */
  readonly take: (context: Context, body: Buffer | undefined) => Promise<void>;
}

export interface AppOptions {
  /** By their paths. */
  readonly hooks: ReadonlyMap<string, Hook>;
  readonly maxBody: number;
  readonly counts: () => Promise<EventCounts>;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Answers webhooks, /healthz and /metrics. */
export function createApp(options: AppOptions): Koa {
  const { hooks, metrics, log } = options;
  const app = new Koa();
  app.on("error", (err: unknown) => log.warn({ err }, "a request broke off"));
  app.use(async (context) => {
    const hook = hooks.get(context.path);
    if (hook !== undefined) {
      if (context.method !== "POST") return refuse(context, 405, "POST it");
      return answerHook(context, hook, options);
    }
    if (context.path === "/healthz") return answerHealth(context, options);
    if (context.path === "/metrics") {
      context.set("Content-Type", metrics.registry.contentType);
      context.body = await metrics.registry.metrics();
      return;
    }
    refuse(context, 404, "there is nothing here");
  });
  return app;
}

/** A 2xx says that what was sent is on the disk: senders then forget it. */
async function answerHook(context: Context, hook: Hook, { maxBody, log }: AppOptions): Promise<void> {
  if (!hook.isLetIn(context)) return refuse(context, 401, "the secret or the signature is not the right one");
  const body = await readBody(context, maxBody);
  try {
    await hook.take(context, body);
    context.status = 202;
    context.body = { ok: true };
  } catch (error) {
    if (error instanceof Refusal) return refuse(context, error.status, error.message);
    log.error({ err: error, path: context.path }, "a webhook could not be written down");
    context.set("Retry-After", "10");
    refuse(context, 503, "it could not be written down; send it again");
  }
}

/** Why a webhook is not taken. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Undefined when it is larger than `maxBody`: then no more than that was read. */
async function readBody(context: Context, maxBody: number): Promise<Buffer | undefined> {
  try {
    return await getRawBody(context.req, { limit: maxBody, length: context.get("Content-Length") || null });
  } catch (error) {
    if ((error as { type?: string }).type !== "entity.too.large") throw error;
    // The rest is not read, so that the connection is of no more use.
    context.set("Connection", "close");
    return undefined;
  }
}

async function answerHealth(context: Context, { counts, metrics }: AppOptions): Promise<void> {
  const sources = Object.fromEntries(
    Object.entries(metrics.sources()).map(([name, isUp]) => [name, isUp ? "up" : "down"]),
  );
  try {
    const isWhole = Object.values(sources).every((state) => state === "up");
    context.body = { status: isWhole ? "ok" : "degraded", sources, ...(await counts()) };
  } catch (error) {
    context.status = 503;
    context.body = { status: "failed", reason: `the catalog cannot be read: ${messageOf(error)}`, sources };
  }
}

function refuse(context: Context, status: number, message: string): void {
  context.status = status;
  context.body = { error: message };
}
