import { expect, test } from "vitest";
import type { Digest } from "../../digest.ts";
import { sha256Hex } from "../../generation.ts";
import { parseRepository } from "../../reference.ts";
import { changePages, pendingPlatforms, recordGeneration } from "../generations.ts";
import { type ManifestGraph, readGraphBelow, readWholeGraph } from "../graph.ts";
import { type ImageRecord, recordImage } from "../images.ts";
import type { Catalog } from "../open.ts";
import { addedPlaces, droppedPlaces, placesOf, readPublished, recordPublished } from "../published.ts";
import {
  deleteBlobs,
  deleteEmptyRepositories,
  deleteTags,
  dropExpired,
  droppedBlobs,
  forgetDropped,
  markBlobs,
  markManifests,
  readKnownTags,
  setMissing,
  uselessBlobs,
} from "../removal.ts";
import { readManifests, readRepositories } from "../served.ts";
import { isPlaced, isStored, repositoriesOfBlob, storedBlobs } from "../stored.ts";
import { putVariant } from "../variants.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

const DAY = "2026-11-22T00:00:00.000Z";
const EARLIER = "2026-11-21T00:00:00.000Z";

const digestsOf = ({ manifests }: ImageRecord) => manifests.map(({ digest }) => digest);
const tombstones = async (catalog: Catalog) =>
  (await catalog.selectFrom("platformBlob").selectAll().where("tombstonedAt", "is not", null).execute())
    .map(({ platform, digest }) => `${platform} ${digest}`)
    .sort();
const nextGeneration = (catalog: Catalog, number: number) =>
  Promise.all(
    [AMD64, ARM64].map((platform) =>
      recordGeneration(catalog, { platform, number, time: DAY, files: 1, bytes: 1, listSha256: sha256Hex("list") }),
    ),
  );
/** As a plain value, in an order that no database gives by itself. */
const plain = ({ marked, roots, needs }: ManifestGraph) => ({
  marked: [...marked].sort(),
  roots: [...roots].sort(),
  needs: [...needs].map(([from, to]) => [from, [...to].sort()]).sort(),
});

/** Two images of two platforms that share a layer in one of them; their indexes are tagged. */
async function twoImages(catalog: Catalog) {
  const old = sampleImage({ tag: "old", layers: { [AMD64]: ["shared", "old"], [ARM64]: ["shared"] } });
  const current = sampleImage({ tag: "new", layers: { [AMD64]: ["shared", "new"] } });
  for (const image of [old, current]) await recordImage(catalog, image);
  await nextGeneration(catalog, 1);
  return { old, current };
}

async function remove(catalog: Catalog, image: ImageRecord, since = DAY) {
  await deleteTags(
    catalog,
    (await readKnownTags(catalog)).filter(({ digest }) => digest === image.digest),
  );
  await markManifests(catalog, { unneeded: digestsOf(image), needed: [] }, since);
  await markBlobs(catalog, since, digestsOf(image));
}

export const removalContract: ContractPart = (fixture) => {
  test("listings without a tag are counted until it is recorded again", async () => {
    const { catalog } = fixture();
    const { old } = await twoImages(catalog);
    const [tag] = (await readKnownTags(catalog)).filter(({ name }) => name === "old");
    if (tag === undefined) throw new Error("it was recorded");
    expect(tag.missing).toBe(0);
    await setMissing(catalog, [{ ...tag, missing: 1 }]);
    expect(await readKnownTags(catalog)).toContainEqual({ ...tag, missing: 1 });
    await recordImage(catalog, old);
    expect(await readKnownTags(catalog)).toContainEqual({ ...tag, revision: expect.any(Number) });
    const all = await readKnownTags(catalog);
    const own = all.filter(({ repository }) => repository === tag.repository);
    expect(await readKnownTags(catalog, [tag.repository])).toEqual(own);
    expect(await readKnownTags(catalog, [])).toEqual([]);
  });

  test("blobs get a tombstone in the platforms where no needed manifest names them", async () => {
    const { catalog } = fixture();
    const { old, current } = await twoImages(catalog);
    await remove(catalog, old);
    const configs = [...old.contents.keys()];
    const expected = [
      `${AMD64} ${layerOf("old").digest}`,
      `${AMD64} ${configs[0]}`,
      `${ARM64} ${layerOf("shared").digest}`,
      `${ARM64} ${configs[1]}`,
    ].sort();
    expect(await tombstones(catalog)).toStrictEqual(expected);
    // All of them looked at comes to the same.
    await catalog.updateTable("platformBlob").set({ tombstonedAt: null }).execute();
    await markBlobs(catalog, DAY);
    expect(await tombstones(catalog)).toStrictEqual(expected);

    await markManifests(catalog, { unneeded: [], needed: digestsOf(old) }, DAY);
    await markBlobs(catalog, DAY, digestsOf(old));
    expect(await tombstones(catalog)).toStrictEqual([]);
    expect(await placesOf(catalog, [layerOf("shared").digest])).toHaveLength(2);
    expect(digestsOf(current)).toHaveLength(2);
  });

  test("what is below a manifest is read with all that leads to it from outside", async () => {
    const { catalog } = fixture();
    const { old, current } = await twoImages(catalog);
    const whole = plain(await readWholeGraph(catalog, []));
    expect(whole.roots).toStrictEqual([old.digest, current.digest].sort());
    expect(plain(await readGraphBelow(catalog, [old.digest, current.digest], []))).toStrictEqual(whole);

    // A child of a tagged index is a root when it is looked at alone; a referrer is found by its subject.
    const [child] = old.manifests.map(({ digest }) => digest);
    const [referrer] = current.manifests.map(({ digest }) => digest);
    if (child === undefined || referrer === undefined) throw new Error("an index has children");
    await catalog.updateTable("manifest").set({ subject: child }).where("digest", "=", referrer).execute();
    expect(plain(await readGraphBelow(catalog, [child], []))).toStrictEqual({
      marked: [
        [child, false],
        [referrer, false],
      ].sort(),
      roots: [child, referrer].sort(),
      needs: [[child, [referrer]]],
    });
    // What is on its way out makes nothing needed.
    await remove(catalog, old);
    expect(plain(await readGraphBelow(catalog, [child], [])).roots).toStrictEqual([referrer]);
    expect([...(await readGraphBelow(catalog, [old.digest], [old.repository])).roots].sort()).toStrictEqual(
      [...digestsOf(old), referrer].sort(),
    );
    expect((await readWholeGraph(catalog, [parseRepository("elsewhere")])).roots).toStrictEqual(
      new Set([current.digest]),
    );
    expect((await readWholeGraph(catalog, [old.repository])).roots.size).toBe(5);
  });

  test("what is expired goes from the catalog, and leaves its platforms with their next generation", async () => {
    const { catalog } = fixture();
    const { old, current } = await twoImages(catalog);
    await remove(catalog, old);
    expect(await dropExpired(catalog, EARLIER)).toStrictEqual({ manifests: [], platforms: [] });
    expect(await pendingPlatforms(catalog)).toStrictEqual([]);

    const dropped = await dropExpired(catalog, DAY);
    expect(dropped.manifests.toSorted()).toStrictEqual(digestsOf(old).sort());
    const size = (...names: string[]) => names.reduce((sum, name) => sum + layerOf(name).size, 0);
    const [amd64 = 0, arm64 = 0] = [...old.contents.values()].map(({ length }) => length);
    expect(dropped.platforms).toStrictEqual([
      { platform: AMD64, blobs: 2, bytes: size("old") + amd64 },
      { platform: ARM64, blobs: 2, bytes: size("shared") + arm64 },
    ]);
    expect(await pendingPlatforms(catalog)).toStrictEqual([AMD64, ARM64]);
    expect((await Array.fromAsync(readManifests(catalog, digestsOf(old)))).flat()).toStrictEqual([]);
    expect(await droppedBlobs(catalog, AMD64, 1)).toStrictEqual([]);
    await nextGeneration(catalog, 2);
    const gone = await droppedBlobs(catalog, AMD64, 2);
    expect(gone.toSorted()).toStrictEqual([layerOf("old").digest, [...old.contents.keys()][0]].sort());

    const useless = await uselessBlobs(catalog);
    expect(useless.map(({ digest }) => digest)).toStrictEqual([layerOf("old").digest, ...old.contents.keys()].sort());
    await deleteBlobs(catalog, gone);
    const sizes = (await Array.fromAsync(changePages(catalog, AMD64, 2, "removed")))
      .flat()
      .map(({ size: left }) => left);
    expect(sizes).toStrictEqual([null, null]);
    expect(await isPlaced(catalog, AMD64, gone)).toStrictEqual(new Set(gone));
    await forgetDropped(catalog, AMD64, 2);
    expect(await isPlaced(catalog, AMD64, gone)).toStrictEqual(new Set());
    expect(await isStored(catalog, [...gone, current.digest, layerOf("new").digest])).toStrictEqual(
      new Set([current.digest, layerOf("new").digest]),
    );
    await deleteEmptyRepositories(catalog);
    expect(await readRepositories(catalog)).toStrictEqual([current.repository]);
    await remove(catalog, current);
    await dropExpired(catalog, DAY);
    await deleteEmptyRepositories(catalog);
    expect(await readRepositories(catalog)).toStrictEqual([]);
  });

  test("a manifest that variants are made of stays, without its blobs", async () => {
    const { catalog } = fixture();
    const { old } = await twoImages(catalog);
    const [original] = digestsOf(old) as [Digest];
    await putVariant(catalog, { digest: layerOf("variant").digest, original, urls: "[]" });
    await remove(catalog, old);
    const { manifests, platforms } = await dropExpired(catalog, DAY);
    expect(manifests).toHaveLength(2);
    expect(platforms).toMatchObject([{ blobs: 2 }, { blobs: 2 }]);
    expect((await Array.fromAsync(readManifests(catalog, digestsOf(old)))).flat()).toMatchObject([
      { digest: original },
    ]);
    expect(await dropExpired(catalog, DAY)).toStrictEqual({ manifests: [], platforms: [] });
  });

  test("what came and went after a generation is told by name", async () => {
    const { catalog } = fixture();
    const { old } = await twoImages(catalog);
    await remove(catalog, old);
    await dropExpired(catalog, DAY);
    await recordImage(catalog, sampleImage({ tag: "newer", layers: { [AMD64]: ["newer"] } }));
    await nextGeneration(catalog, 2);
    const added = await addedPlaces(catalog, AMD64, { since: 1, until: 2, limit: 10 });
    expect(added).toContainEqual({ platform: AMD64, digest: layerOf("newer").digest });
    expect(added).toHaveLength(2);
    expect(await addedPlaces(catalog, AMD64, { since: 1, until: 2, limit: 1 })).toHaveLength(1);
    expect(await droppedPlaces(catalog, AMD64, { since: 1, until: 2 })).toHaveLength(2);
    expect(await droppedPlaces(catalog, AMD64, { since: 2, until: 2 })).toStrictEqual([]);
    // A blob of several platforms is told with all of them.
    const pages = (await Array.fromAsync(storedBlobs(catalog, 2))).flat();
    expect(pages.map(({ digest }) => digest)).toStrictEqual(pages.map(({ digest }) => digest).sort());
    expect(pages).toContainEqual(expect.objectContaining({ digest: layerOf("shared").digest, platforms: [AMD64] }));
    expect(await repositoriesOfBlob(catalog, layerOf("newer").digest)).toStrictEqual([old.repository]);
  });

  test("what a target was given is what was written down last", async () => {
    const { catalog } = fixture();
    const rows = [
      { platform: AMD64, number: 3, fullAt: DAY },
      { platform: ARM64, number: 1, fullAt: EARLIER },
    ];
    await recordPublished(catalog, "rsync://a/b/", rows);
    await recordPublished(catalog, "rsync://a/c/", rows.slice(1));
    await recordPublished(catalog, "rsync://a/b/", rows.slice(0, 1));
    expect(await readPublished(catalog, "rsync://a/b/")).toStrictEqual(rows.slice(0, 1));
    expect(await readPublished(catalog, "rsync://a/c/")).toStrictEqual(rows.slice(1));
    expect(await readPublished(catalog, "rsync://a/d/")).toStrictEqual([]);
  });
};
