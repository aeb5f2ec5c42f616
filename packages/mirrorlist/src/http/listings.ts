import type { Digest } from "@nearlayer/shared/digest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import type { Repository } from "@nearlayer/shared/reference";
import { nextLink, pageOf, parsePage } from "../paging.ts";
import type { ServedRepository, Snapshot } from "../served/snapshot.ts";
import { type Ctx, queryOf, sendError, sendJson } from "./answers.ts";

export function answerTags(ctx: Ctx, name: Repository, { tagNames }: ServedRepository) {
  sendPage(ctx, `/v2/${name}/tags/list`, tagNames, (tags) => ({ name, tags }));
}

export function answerCatalog(ctx: Ctx, { repositoryNames }: Snapshot) {
  sendPage(ctx, "/v2/_catalog", repositoryNames, (repositories) => ({ repositories }));
}

function sendPage(ctx: Ctx, path: string, sorted: readonly string[], wrap: (names: readonly string[]) => unknown) {
  const request = parsePage(queryOf(ctx));
  if (request.kind === "error") return sendError(ctx, request);
  const { names, next } = pageOf(sorted, request);
  if (next !== undefined) ctx.set("Link", nextLink(path, request.n, next));
  sendJson(ctx, wrap(names));
}

/** What refers to a digest, as an index; an empty one for a digest that is not known (distribution-spec). */
export function answerReferrers(ctx: Ctx, snapshot: Snapshot, repository: ServedRepository, digest: Digest) {
  const wanted = queryOf(ctx).get("artifactType");
  const manifests = (snapshot.referrers.get(digest) ?? [])
    .filter((referrer) => repository.manifests.has(referrer))
    .flatMap((referrer) => snapshot.manifests.get(referrer) ?? [])
    .filter(({ artifactType }) => wanted === null || artifactType === wanted)
    .map(({ mediaType, digest: own, size, artifactType, annotations }) => ({
      mediaType,
      digest: own,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    }));
  if (wanted !== null) ctx.set("OCI-Filters-Applied", "artifactType");
  sendJson(ctx, { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }, MEDIA_TYPE.ociIndex);
}
