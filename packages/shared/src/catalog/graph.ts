import type { Digest } from "../digest.ts";
import type { Repository } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";

/**
 * Manifests and what makes one needed by another: an index needs its children, and a manifest its referrers
 * (signatures and the like, which name it as their `subject`).
 */
export interface ManifestGraph {
  /** Every manifest that is looked at, and whether it is marked as unneeded now. */
  readonly marked: ReadonlyMap<Digest, boolean>;
  /** Those that are needed whatever the others are: a tag names them, or something needed outside of the graph. */
  readonly roots: ReadonlySet<Digest>;
  /** From a manifest to those that are needed when it is. */
  readonly needs: ReadonlyMap<Digest, readonly Digest[]>;
}

interface Edge {
  readonly from: Digest;
  readonly to: Digest;
}

/** All manifests. `kept` are repositories whose manifests all stay. Cost: a row per manifest and per index entry. */
export async function readWholeGraph(catalog: Catalog, kept: readonly Repository[]): Promise<ManifestGraph> {
  const manifests = await catalog.selectFrom("manifest").select(["digest", "subject", "unneededSince"]).execute();
  const children = await catalog
    .selectFrom("manifestRef")
    .select(["parent as from", "child as to"])
    .where("role", "=", "manifest")
    .execute();
  const tagged = await catalog.selectFrom("tag").select("digest").distinct().execute();
  const roots = new Set(tagged.map(({ digest }) => digest));
  for (const repositories of chunksOf(kept)) {
    const rows = await catalog
      .selectFrom("repositoryManifest")
      .select("digest")
      .where("repository", "in", repositories)
      .execute();
    for (const { digest } of rows) roots.add(digest);
  }
  const referrers = manifests.flatMap(({ digest, subject }) => (subject ? [{ from: subject, to: digest }] : []));
  return {
    marked: new Map(manifests.map(({ digest, unneededSince }) => [digest, unneededSince !== null])),
    roots,
    needs: needsOf([...children, ...referrers]),
  };
}

/**
 * The manifests that can be reached from `start`, and as roots all that something outside of these leads to. Cost: a few
 * queries, and rows for what is reached alone: what a pushed tag changed is found in a catalog of any size.
 */
export async function readGraphBelow(
  catalog: Catalog,
  start: readonly Digest[],
  kept: readonly Repository[],
): Promise<ManifestGraph> {
  const seen = new Set<Digest>(start);
  const edges: Edge[] = [];
  for (let frontier = [...seen]; frontier.length > 0; ) {
    const found = (await Promise.all([...chunksOf(frontier)].map((digests) => edgesFrom(catalog, digests)))).flat();
    edges.push(...found);
    frontier = [...new Set(found.map(({ to }) => to))].filter((digest) => !seen.has(digest));
    for (const digest of frontier) seen.add(digest);
  }
  const marked = new Map<Digest, boolean>();
  const roots = new Set<Digest>();
  for (const digests of chunksOf([...seen])) {
    for (const { digest, unneededSince } of await catalog
      .selectFrom("manifest")
      .select(["digest", "unneededSince"])
      .where("digest", "in", digests)
      .execute()) {
      marked.set(digest, unneededSince !== null);
    }
    for (const digest of await namedFromOutside(catalog, digests, seen, kept)) roots.add(digest);
  }
  return { marked, roots, needs: needsOf(edges) };
}

async function edgesFrom(catalog: Catalog, digests: readonly Digest[]): Promise<Edge[]> {
  const children = await catalog
    .selectFrom("manifestRef")
    .select(["parent as from", "child as to"])
    .where("parent", "in", digests)
    .where("role", "=", "manifest")
    .execute();
  const referrers = await catalog
    .selectFrom("manifest")
    .select(["subject as from", "digest as to"])
    .where("subject", "in", digests)
    .execute();
  return [...children, ...referrers.flatMap(({ from, to }) => (from === null ? [] : [{ from, to }]))];
}

async function namedFromOutside(
  catalog: Catalog,
  digests: readonly Digest[],
  inside: ReadonlySet<Digest>,
  kept: readonly Repository[],
): Promise<Digest[]> {
  const tagged = await catalog.selectFrom("tag").select("digest").where("digest", "in", digests).execute();
  const stored = await catalog
    .selectFrom("repositoryManifest")
    .select(["repository", "digest"])
    .where("digest", "in", digests)
    .execute();
  const parents = await catalog
    .selectFrom("manifestRef")
    .innerJoin("manifest", "manifest.digest", "manifestRef.parent")
    .select(["manifestRef.parent as from", "manifestRef.child as to"])
    .where("manifestRef.child", "in", digests)
    .where("manifestRef.role", "=", "manifest")
    .where("manifest.unneededSince", "is", null)
    .execute();
  const subjects = await catalog
    .selectFrom("manifest")
    .innerJoin("manifest as named", "named.digest", "manifest.subject")
    .select(["named.digest as from", "manifest.digest as to"])
    .where("manifest.digest", "in", digests)
    .where("named.unneededSince", "is", null)
    .execute();
  const keeping = new Set(kept);
  return [
    ...tagged.map(({ digest }) => digest),
    ...stored.flatMap(({ repository, digest }) => (keeping.has(repository) ? [digest] : [])),
    ...[...parents, ...subjects].flatMap(({ from, to }) => (inside.has(from) ? [] : [to])),
  ];
}

function needsOf(edges: readonly Edge[]): Map<Digest, Digest[]> {
  const needs = new Map<Digest, Digest[]>();
  for (const { from, to } of edges) {
    const known = needs.get(from);
    if (known === undefined) needs.set(from, [to]);
    else known.push(to);
  }
  return needs;
}
