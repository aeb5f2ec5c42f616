import { isNearlayerError } from "@nearlayer/shared/errors";
import { parseReference, type Reference } from "@nearlayer/shared/reference";
import { maxProbeAge } from "../../mirrors/probe.ts";
import { rawPath } from "../../request.ts";
import { findManifest } from "../../served/snapshot.ts";
import { queryOf } from "../answers.ts";
import type { Context } from "../deps.ts";
import type { PageCtx, ShowPage } from "./answer.ts";
import { countCarriers } from "./carriers.ts";
import { registryName } from "./commands.ts";
import { notFoundPage } from "./error-page.ts";
import { imagePage } from "./image-page.ts";
import type { Page } from "./layout.ts";
import { repositoryPage } from "./repository-page.ts";

/** `/r/REPOSITORY`, `/r/REPOSITORY:TAG`, `/r/REPOSITORY@DIGEST`: what follows `docker pull HOST/`. */
export async function answerReference(ctx: PageCtx, context: Context, show: ShowPage): Promise<void> {
  const reference = readPath(rawPath(ctx.url));
  await show(ctx, async () => {
    if (reference === undefined) return notFoundPage("That is not the name of a repository or an image.");
    return referencePage(ctx, context, reference);
  });
}

async function referencePage(ctx: PageCtx, context: Context, reference: Reference): Promise<Page> {
  const { config, network, now } = context;
  const { repository: name, tag, digest } = reference;
  const isKnown = (snapshot: ReturnType<Context["snapshot"]>) => snapshot.repositories.has(name);
  // Another instance may have linked to what has not come here yet.
  const snapshot = isKnown(context.snapshot()) ? context.snapshot() : await context.newest();
  const repository = snapshot.repositories.get(name);
  if (repository === undefined) return notFoundPage(`There is no repository ${name} here.`);
  const registry = registryName(config.mirrorlist.publicUrl, ctx.state.forwarded);
  const asked = digest !== undefined ? { digest } : tag !== undefined ? { tag } : undefined;
  if (asked === undefined) return repositoryPage(snapshot, name, repository, registry, queryOf(ctx), now());
  const served = findManifest(snapshot, repository, asked);
  if (served === undefined) return notFoundPage(`${name} has no ${tag ?? digest} here.`);
  const by = { scheme: config.mirrorlist.scheme, maxProbeAge: maxProbeAge(config.crawler.interval), now: now() };
  const carriers = countCarriers(network.mirrors(), by);
  return imagePage(reference, served, { snapshot, repository, registry, carriers, now: now() });
}

function readPath(path: string): Reference | undefined {
  try {
    return parseReference(decodeURIComponent(path.slice("/r/".length)).replace(/\/$/, ""));
  } catch (error) {
    if (error instanceof URIError || isNearlayerError(error)) return undefined;
    throw error;
  }
}
