import { expect, test } from "vitest";
import { type Digest, digestOf } from "../../digest.ts";
import { parseRepository, parseTag } from "../../reference.ts";
import { recordImage } from "../images.ts";
import { bumpRevision, type Catalog, readRevision } from "../open.ts";
import { deleteBlobs, deleteTags, dropExpired, markBlobs, markManifests, readKnownTags } from "../removal.ts";
import * as served from "../served.ts";
import { readMoment } from "../transaction.ts";
import type { ContractPart } from "./contract.ts";
import { readTags } from "./read-tags.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

const PAST = "2026-11-22T00:00:00Z";

const all = async <Row>(pages: AsyncGenerator<Row[]>) => (await Array.fromAsync(pages)).flat();

export const servedContract: ContractPart = (fixture) => {
  test("all that is served is read: repositories, tags, manifests, configurations", async () => {
    const { catalog } = fixture();
    const images = ["x", "y"].map((name) => sampleImage({ repository: `test/${name}`, layers: { [AMD64]: [name] } }));
    for (const image of images) await recordImage(catalog, image);

    expect((await served.readRepositories(catalog)).toSorted()).toStrictEqual(["test/x", "test/y"]);
    const tags = images.map(({ repository, tag, digest }) => ({ repository, name: tag, digest }));
    expect(new Set((await readTags(catalog)).map(({ revision, ...tag }) => tag))).toStrictEqual(new Set(tags));
    const digests = images.flatMap(({ manifests }) => manifests.map(({ digest }) => digest));
    const members = await all(served.memberPages(catalog, -1, 3));
    expect(members.map(({ digest }) => digest).toSorted()).toStrictEqual(digests.toSorted());
    const rows = await all(served.readManifests(catalog, digests));
    expect(new Map(rows.map(({ digest, bytes }) => [digest, bytes]))).toStrictEqual(
      new Map(images.flatMap(({ manifests }) => manifests.map(({ digest, bytes }) => [digest, bytes]))),
    );
    const annotated = rows.filter(({ annotations }) => annotations !== null);
    expect(annotated.map(({ annotations }) => JSON.parse(annotations ?? ""))).toStrictEqual(
      images.map(() => ({ "org.example.name": "ünïcode" })),
    );
    const contents = new Map(images.flatMap((image) => [...image.contents]));
    const found = await all(served.readContents(catalog, [...contents.keys(), layerOf("x").digest]));
    expect(new Map(found.map(({ digest, content }) => [digest, content]))).toStrictEqual(contents);
  });

  test("blobs and their places come page by page, and none that is on its way out", async () => {
    const { catalog } = fixture();
    const names = Array.from({ length: 20 }, (_, index) => `layer-${index}`);
    const image = sampleImage({ layers: { [AMD64]: names, [ARM64]: names } });
    await recordImage(catalog, image);
    const gone = layerOf("layer-7").digest;
    await catalog
      .updateTable("platformBlob")
      .set({ tombstonedAt: "2026-11-22T00:00:00Z" })
      .where("digest", "=", gone)
      .execute();

    const digests = [...names.map((name) => layerOf(name).digest), ...image.contents.keys()].toSorted();
    const blobs = await all(served.blobPages(catalog, 3));
    expect(blobs.map(({ digest }) => digest)).toStrictEqual(digests);
    expect(await served.countBlobs(catalog)).toBe(digests.length);
    const { digest, size } = layerOf("layer-8");
    expect(blobs.find((blob) => blob.digest === digest)).toEqual({ digest, size });
    const places = await all(served.placementPages(catalog, 3));
    // The layers in both platforms, but for one, and a configuration in each.
    expect(places).toHaveLength(19 * 2 + 2);
    expect(places.filter((place) => place.digest === gone)).toStrictEqual([]);
    expect(places.filter((place) => place.digest === digest)).toEqual([
      { platform: AMD64, digest, since: 1 },
      { platform: ARM64, digest, since: 1 },
    ]);
  });

  test("what changed after a revision is told, page by page, and nothing else", async () => {
    const { catalog } = fixture();
    const image = (tag: string, ...names: string[]) => sampleImage({ tag, layers: { [AMD64]: names } });
    await recordImage(catalog, image("old", "a", "b"));
    const old = await readRevision(catalog);
    await recordImage(catalog, image("new", "b", "c", "d"));
    const [config] = image("new", "b", "c", "d").contents.keys();
    expect((await all(served.tagPages(catalog, old, 1))).map(({ name }) => name)).toStrictEqual(["new"]);
    expect(await all(served.memberPages(catalog, old, 1))).toHaveLength(2);
    const changes = await all(served.placementChangePages(catalog, old, 1));
    const came = [config, layerOf("c").digest, layerOf("d").digest].toSorted();
    expect(changes.map(({ digest }) => digest)).toStrictEqual(came);
    expect(changes.find(({ digest }) => digest === layerOf("c").digest)).toMatchObject({
      ...{ platform: AMD64, since: 1, size: layerOf("c").size, until: null, tombstonedAt: null },
    });
    const now = await readRevision(catalog);
    expect(await all(served.placementChangePages(catalog, now, 1))).toStrictEqual([]);
    expect(await all(served.tagPages(catalog, now, 1))).toStrictEqual([]);
  });

  test("a blob that gets a tombstone, loses it or is dropped has changed, and what is taken out is told", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    const changesOf = async (work: (transaction: Catalog) => Promise<unknown>) => {
      const before = await readRevision(catalog);
      await catalog.transaction().execute(async (transaction) => {
        await work(transaction);
        await bumpRevision(transaction);
      });
      const changes = await all(served.placementChangePages(catalog, before));
      return changes.find(({ digest }) => digest === layerOf("a").digest);
    };
    const digests = image.manifests.map(({ digest }) => digest);
    const mark = (unneeded: Digest[], needed: Digest[]) => async (transaction: Catalog) => {
      await markManifests(transaction, { unneeded, needed }, PAST);
      await markBlobs(transaction, PAST);
    };
    expect(await changesOf(mark(digests, []))).toMatchObject({ tombstonedAt: PAST });
    expect(await changesOf(mark([], digests))).toMatchObject({ tombstonedAt: null });
    expect(await changesOf(mark(digests, []))).toMatchObject({ tombstonedAt: PAST });
    expect(await served.readRemovals(catalog)).toStrictEqual({ images: 0, blobs: 0 });
    expect(await changesOf((transaction) => dropExpired(transaction, PAST))).toMatchObject({ until: 1 });
    const revision = await readRevision(catalog);
    expect(await served.readRemovals(catalog)).toStrictEqual({ images: revision, blobs: 0 });
    await changesOf((transaction) => deleteBlobs(transaction, [layerOf("a").digest]));
    expect(await served.readRemovals(catalog)).toStrictEqual({ images: revision, blobs: revision + 1 });
    await changesOf(async (transaction) => deleteTags(transaction, await readKnownTags(transaction)));
    expect((await served.readRemovals(catalog)).images).toBe(revision + 2);
  });

  test("names are sorted by their bytes, not by a language", async () => {
    const { catalog } = fixture();
    const names = ["a-b", "a.b", "a_b", "aa", "B", "b", "1"];
    const repository = parseRepository("test/sorted");
    for (const name of names) {
      const values = { repository, name: parseTag(name), digest: digestOf(name) };
      await catalog.insertInto("tag").values(values).execute();
    }
    const rows = await catalog.selectFrom("tag").select("name").orderBy("name").execute();
    expect(rows.map(({ name }) => name)).toStrictEqual(names.toSorted());
  });

  test("a reader sees one moment, however long it reads, and a writer does not wait for it", async () => {
    const { catalog, open } = fixture();
    const writer = await open();
    const image = (name: string) => sampleImage({ tag: name, layers: { [AMD64]: [name] } });
    await recordImage(writer, image("first"));
    await readMoment(catalog, async (moment) => {
      const revision = await readRevision(moment);
      for (const name of ["second", "third"]) await recordImage(writer, image(name));
      expect(await readRevision(moment)).toBe(revision);
      expect((await readTags(moment)).map(({ name }) => name)).toStrictEqual(["first"]);
      expect(await all(served.placementPages(moment, 2))).toHaveLength(2);
    });
    expect(await readTags(catalog)).toHaveLength(3);
  });

  test("a reader does not wait for a writer that stays, and sees nothing of it", async () => {
    const { catalog, startWriter } = fixture();
    const writer = startWriter("stay");
    expect(await writer.nextLine()).toBe("in the middle");
    expect(await readMoment(catalog, readTags)).toStrictEqual([]);
  });
};
