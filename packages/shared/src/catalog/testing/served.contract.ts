import { expect, test } from "vitest";
import { digestOf } from "../../digest.ts";
import { parseRepository, parseTag } from "../../reference.ts";
import { recordImage } from "../images.ts";
import { readRevision } from "../open.ts";
import * as served from "../served.ts";
import { readMoment } from "../transaction.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

export const servedContract: ContractPart = (fixture) => {
  test("all that is served is read: repositories, tags, manifests, configurations", async () => {
    const { catalog } = fixture();
    const images = ["x", "y"].map((name) => sampleImage({ repository: `test/${name}`, layers: { [AMD64]: [name] } }));
    for (const image of images) await recordImage(catalog, image);

    expect((await served.readRepositories(catalog)).toSorted()).toStrictEqual(["test/x", "test/y"]);
    const tags = images.map(({ repository, tag, digest }) => ({ repository, name: tag, digest }));
    expect(new Set(await served.readTags(catalog))).toStrictEqual(new Set(tags));
    const digests = images.flatMap(({ manifests }) => manifests.map(({ digest }) => digest));
    expect((await served.readRepositoryManifests(catalog)).map(({ digest }) => digest).toSorted()).toStrictEqual(
      digests.toSorted(),
    );
    const [rows] = await Array.fromAsync(served.readManifests(catalog, digests));
    expect(new Map(rows?.map(({ digest, bytes }) => [digest, bytes]))).toStrictEqual(
      new Map(images.flatMap(({ manifests }) => manifests.map(({ digest, bytes }) => [digest, bytes]))),
    );
    const annotated = rows?.filter(({ annotations }) => annotations !== null) ?? [];
    expect(annotated.map(({ annotations }) => JSON.parse(annotations ?? ""))).toStrictEqual(
      images.map(() => ({ "org.example.name": "ünïcode" })),
    );
    const contents = new Map(images.flatMap((image) => [...image.contents]));
    const found = await served.readContentDigests(catalog);
    expect(found.toSorted()).toStrictEqual([...contents.keys()].toSorted());
    const [content] = await Array.fromAsync(served.readContents(catalog, found));
    expect(new Map(content?.map((row) => [row.digest, row.content]))).toStrictEqual(contents);
  });

  test("placements come by digest, page by page, a blob's rows together, and none that is on its way out", async () => {
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

    const pages = await Array.fromAsync(served.readPlacements(catalog, 3));
    const rows = pages.flat();
    const digests = [...names.map((name) => layerOf(name).digest), ...image.contents.keys()].toSorted();
    expect(await served.countBlobs(catalog)).toBe(digests.length);
    expect([...new Set(rows.map(({ digest }) => digest))]).toStrictEqual(digests);
    expect(rows.filter(({ digest }) => digest === gone)).toStrictEqual([
      { digest: gone, size: layerOf("layer-7").size, platform: null, since: null },
    ]);
    const { digest, size } = layerOf("layer-8");
    expect(rows.filter((row) => row.digest === digest)).toStrictEqual([
      { digest, size, platform: AMD64, since: 1 },
      { digest, size, platform: ARM64, since: 1 },
    ]);
    for (const [index, page] of pages.entries()) {
      const next = pages[index + 1]?.[0]?.digest;
      expect(page.every((row) => row.digest !== next)).toBe(true);
    }
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
      expect((await served.readTags(moment)).map(({ name }) => name)).toStrictEqual(["first"]);
      expect((await Array.fromAsync(served.readPlacements(moment, 2))).flat()).toHaveLength(2);
    });
    expect(await served.readTags(catalog)).toHaveLength(3);
  });

  test("a reader does not wait for a writer that stays, and sees nothing of it", async () => {
    const { catalog, startWriter } = fixture();
    const writer = startWriter("stay");
    expect(await writer.nextLine()).toBe("in the middle");
    expect(await readMoment(catalog, served.readTags)).toStrictEqual([]);
  });
};
