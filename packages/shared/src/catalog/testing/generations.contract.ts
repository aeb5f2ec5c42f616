import { expect, test } from "vitest";
import type { Digest } from "../../digest.ts";
import { sha256Hex } from "../../generation.ts";
import type { Platform } from "../../platform.ts";
import {
  changePages,
  latestGeneration,
  latestGenerations,
  listPages,
  pendingPlatforms,
  recordGeneration,
} from "../generations.ts";
import { recordImage } from "../images.ts";
import { type Catalog, readRevision } from "../open.ts";
import { isKnownGeneration } from "../served.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

/** Records the next generation of a platform; its figures are made up. */
async function nextGeneration(catalog: Catalog, platform: Platform): Promise<number> {
  const number = ((await latestGeneration(catalog, platform))?.number ?? 0) + 1;
  const time = "2026-11-22T00:00:00Z";
  // A petabyte does not fit in 32 bits.
  await recordGeneration(catalog, { platform, number, time, files: 1, bytes: 1e15, listSha256: sha256Hex("list") });
  return number;
}

const blobsOf = async (catalog: Catalog, platform: Platform, number: number) =>
  (await Array.fromAsync(listPages(catalog, platform, number))).flat();

async function changesOf(catalog: Catalog, platform: Platform, number: number) {
  const changed = async (kind: "added" | "removed") =>
    (await Array.fromAsync(changePages(catalog, platform, number, kind))).flat();
  return { added: await changed("added"), removed: await changed("removed") };
}

const drop = (catalog: Catalog, platform: Platform, digest: Digest, until: number) =>
  catalog
    .updateTable("platformBlob")
    .set({ until })
    .where("platform", "=", platform)
    .where("digest", "=", digest)
    .execute();

export const generationsContract: ContractPart = (fixture) => {
  test("a platform is pending until its generation is made, which then holds its blobs", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a", "b"], [ARM64]: ["a"] } });
    await recordImage(catalog, image);
    expect(await pendingPlatforms(catalog)).toStrictEqual([AMD64, ARM64]);
    expect(await latestGeneration(catalog, AMD64)).toBeUndefined();

    const before = await readRevision(catalog);
    await nextGeneration(catalog, AMD64);
    expect(await readRevision(catalog)).toBe(before + 1);
    expect(await pendingPlatforms(catalog)).toStrictEqual([ARM64]);
    await nextGeneration(catalog, ARM64);
    expect(await pendingPlatforms(catalog)).toStrictEqual([]);

    const [config] = [...image.contents].map(([digest, { length }]) => ({ digest, size: length }));
    const layers = ["a", "b"].map(layerOf).map(({ digest, size }) => ({ digest, size }));
    const expected = [...layers, config].toSorted((a, b) => ((a?.digest ?? "") < (b?.digest ?? "") ? -1 : 1));
    expect(await blobsOf(catalog, AMD64, 1)).toStrictEqual(expected);
    expect(await changesOf(catalog, AMD64, 1)).toStrictEqual({ added: expected, removed: [] });
  });

  test("the newest generation of each platform is told, with numbers as numbers", async () => {
    const { catalog } = fixture();
    for (const platform of [ARM64, AMD64, AMD64]) await nextGeneration(catalog, platform);
    expect(await latestGenerations(catalog)).toMatchObject([
      { platform: AMD64, number: 2, files: 1, bytes: 1e15 },
      { platform: ARM64, number: 1 },
    ]);
    const latest = await latestGeneration(catalog, AMD64);
    if (latest === undefined) throw new Error("it was recorded");
    expect(await isKnownGeneration(catalog, latest)).toBe(true);
    expect(await isKnownGeneration(catalog, { ...latest, listSha256: sha256Hex("other") })).toBe(false);
    expect(await isKnownGeneration(catalog, { ...latest, number: 3 })).toBe(false);
  });

  test("a generation is not recorded twice", async () => {
    const { catalog } = fixture();
    await nextGeneration(catalog, AMD64);
    const first = await latestGeneration(catalog, AMD64);
    if (first === undefined) throw new Error("it was recorded");
    const before = await readRevision(catalog);
    await expect(recordGeneration(catalog, { ...first, files: 2 })).rejects.toThrow();
    expect(await latestGeneration(catalog, AMD64)).toStrictEqual(first);
    expect(await readRevision(catalog)).toBe(before);
  });

  test("a blob that is dropped stays in the generations before, and comes anew when it is wanted again", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    const { digest, size } = layerOf("a");
    const holds = async (number: number) =>
      (await blobsOf(catalog, AMD64, number)).some((entry) => entry.digest === digest);
    await recordImage(catalog, image);
    await nextGeneration(catalog, AMD64);

    await drop(catalog, AMD64, digest, 2);
    expect(await pendingPlatforms(catalog)).toStrictEqual([AMD64]);
    await nextGeneration(catalog, AMD64);
    expect([await holds(1), await holds(2)]).toStrictEqual([true, false]);
    expect(await changesOf(catalog, AMD64, 2)).toStrictEqual({ added: [], removed: [{ digest, size }] });

    await recordImage(catalog, image);
    expect(await pendingPlatforms(catalog)).toStrictEqual([AMD64]);
    await nextGeneration(catalog, AMD64);
    expect([await holds(2), await holds(3)]).toStrictEqual([false, true]);
    expect(await changesOf(catalog, AMD64, 3)).toStrictEqual({ added: [{ digest, size }], removed: [] });
  });

  test("what is wanted again before a generation has dropped it is there as before", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    await nextGeneration(catalog, AMD64);
    const past = "2026-11-22T00:00:00Z";
    await catalog.updateTable("manifest").set({ unneededSince: past }).execute();
    await catalog.updateTable("platformBlob").set({ tombstonedAt: past }).execute();
    await drop(catalog, AMD64, layerOf("a").digest, 2);

    await recordImage(catalog, image);
    expect(await pendingPlatforms(catalog)).toStrictEqual([]);
    const placed = await catalog.selectFrom("platformBlob").select(["since", "until", "tombstonedAt"]).execute();
    expect(placed).toStrictEqual(placed.map(() => ({ since: 1, until: null, tombstonedAt: null })));
    expect(await catalog.selectFrom("manifest").select("unneededSince").distinct().execute()).toStrictEqual([
      { unneededSince: null },
    ]);
  });

  test("what is recorded twice without a generation in between changes nothing", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    await nextGeneration(catalog, AMD64);
    await recordImage(catalog, image);
    expect(await pendingPlatforms(catalog)).toStrictEqual([]);
    expect(await changesOf(catalog, AMD64, 2)).toStrictEqual({ added: [], removed: [] });
  });
};
