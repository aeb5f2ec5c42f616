import { describeMirror, type MirrorDescription, withoutPlaces } from "../../mirrors/describe.ts";
import { hidePlaces } from "../../mirrors/hide-places.ts";
import type { Context } from "../deps.ts";
import { type PageCtx, type ShowPage, sendText } from "./answer.ts";
import { badge } from "./badge.ts";
import { baseUrlOf, registryName } from "./commands.ts";
import { notFoundPage } from "./error-page.ts";
import type { Page } from "./layout.ts";
import { mirrorPage } from "./mirror-page.ts";
import { showNetwork } from "./network.ts";

export async function answerMirror(ctx: PageCtx, context: Context, show: ShowPage): Promise<void> {
  await show(ctx, () => pageOf(ctx, context));
}

async function pageOf(ctx: PageCtx, context: Context): Promise<Page> {
  const name = nameIn(ctx);
  const found = await findMirror(context, name);
  if (found === undefined) return notFoundPage("There is no such mirror here.");
  const { mirror, urls, notices, now } = found;
  const history = await context.records.history(name);
  return mirrorPage({
    ...{ mirror, history, now },
    hide: (text) => (mirror.private ? hidePlaces(text, ...urls) : text),
    baseUrl: baseUrlOf(registryName(context.config.mirrorlist.publicUrl, ctx.state.forwarded)),
    notices:
      history === undefined && notices.length === 0
        ? ["The catalog cannot be read just now: the history of the mirror is missing."]
        : notices,
  });
}

/** `/mirrors/NAME/badge.svg`: for other people's pages, so that it may be shown anywhere. */
export async function answerBadge(ctx: PageCtx, context: Context): Promise<void> {
  const found = await findMirror(context, nameIn(ctx));
  if (found === undefined) return;
  ctx.set("Content-Security-Policy", "default-src 'none'");
  ctx.set("Cross-Origin-Resource-Policy", "cross-origin");
  sendText(ctx, "image/svg+xml", badge(found.mirror.state, found.mirror.lag), 60);
}

const nameIn = (ctx: PageCtx): string => String((ctx as unknown as { params: { name?: string } }).params.name ?? "");

interface Found {
  readonly mirror: MirrorDescription;
  readonly urls: readonly (string | undefined)[];
  readonly notices: readonly string[];
  readonly now: number;
}

/** By its name, also while it is pending: who has opted in wants to see what is missing. */
async function findMirror(context: Context, name: string): Promise<Found | undefined> {
  const { snapshot, overview, day, notices, now } = await showNetwork(context);
  const known = context.network.mirrors().find((mirror) => mirror.name === name);
  if (known === undefined) return undefined;
  const described = describeMirror(known, snapshot.generations, { overview, day, now });
  return { mirror: withoutPlaces(described, known), urls: [known.url, known.rsync], notices, now };
}
