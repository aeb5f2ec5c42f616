import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { digestOf } from "../../digest.ts";
import { parseRepository, parseTag } from "../../reference.ts";
import { digestOfTag, manifestOf, recordImage, recordImages } from "../images.ts";
import { readRevision } from "../open.ts";
import { putVariant, readVariant } from "../variants.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

export const imagesContract: ContractPart = (fixture) => {
  test("an image is read back with its exact bytes, by another connection too", async () => {
    const { catalog, open } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a", "b"], [ARM64]: ["a", "c"] } });
    await recordImage(catalog, image);
    for (const reader of [catalog, await open()]) {
      expect(await digestOfTag(reader, image.repository, image.tag)).toBe(image.digest);
      for (const { digest, bytes, manifest } of image.manifests) {
        // Equal includes the class: a Buffer would not be.
        expect(await manifestOf(reader, digest)).toStrictEqual({ bytes, mediaType: manifest.mediaType });
      }
    }
  });

  test("a tag that moves names the new image, and the old one stays by digest", async () => {
    const { catalog } = fixture();
    const old = sampleImage({ layers: { [AMD64]: ["old"] } });
    const young = sampleImage({ layers: { [AMD64]: ["young"] } });
    await recordImage(catalog, old);
    await recordImage(catalog, young);
    expect(await digestOfTag(catalog, young.repository, young.tag)).toBe(young.digest);
    expect(await manifestOf(catalog, old.digest)).toBeDefined();
  });

  test("images that are recorded together are one change, and none is there when one of them fails", async () => {
    const { catalog } = fixture();
    const images = ["1", "2"].map((tag) => sampleImage({ tag, layers: { [AMD64]: ["shared", tag] } }));
    const before = await readRevision(catalog);
    const spoilt = { ...sampleImage({ tag: "3", layers: { [AMD64]: ["c"] } }), digest: null as never };
    await expect(recordImages(catalog, [...images, spoilt])).rejects.toThrow();
    expect(await readRevision(catalog)).toBe(before);
    for (const { repository, tag } of images) expect(await digestOfTag(catalog, repository, tag)).toBeUndefined();

    await recordImages(catalog, images);
    expect(await readRevision(catalog)).toBe(before + 1);
    for (const { repository, tag, digest } of images) expect(await digestOfTag(catalog, repository, tag)).toBe(digest);
  });

  test("what is not known is undefined", async () => {
    const { catalog } = fixture();
    expect(await digestOfTag(catalog, parseRepository("no/such"), parseTag("1"))).toBeUndefined();
    expect(await manifestOf(catalog, digestOf("nothing"))).toBeUndefined();
    expect(await readVariant(catalog, digestOf("nothing"))).toBeUndefined();
  });

  test("a blob that several platforms share is one blob, in each of them", async () => {
    const { catalog } = fixture();
    await recordImage(catalog, sampleImage({ layers: { [AMD64]: ["shared"], [ARM64]: ["shared"] } }));
    const { digest, size } = layerOf("shared");
    expect(await catalog.selectFrom("blob").selectAll().where("digest", "=", digest).execute()).toStrictEqual([
      expect.objectContaining({ digest, size, content: null }),
    ]);
    const placed = catalog.selectFrom("platformBlob").select("platform").where("digest", "=", digest);
    expect(await placed.orderBy("platform").execute()).toStrictEqual([{ platform: AMD64 }, { platform: ARM64 }]);
  });

  test("each image that is recorded is a new revision, the same one again too", async () => {
    const { catalog, open } = fixture();
    const other = await open();
    const before = await readRevision(other);
    expect(before).toBeTypeOf("number");
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    await recordImage(catalog, image);
    expect(await readRevision(other)).toBe(before + 2);
  });

  test("an image that fails half-way leaves nothing, not even a revision", async () => {
    const { catalog } = fixture();
    const before = await readRevision(catalog);
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    const broken = { ...image, tag: null as unknown as typeof image.tag };
    await expect(recordImage(catalog, broken)).rejects.toThrow();
    expect(await manifestOf(catalog, image.digest)).toBeUndefined();
    expect(await readRevision(catalog)).toBe(before);
  });

  test("bytes of any value and sizes beyond 32 bits come back as they were", async () => {
    const { catalog, open } = fixture();
    const content = new Uint8Array(randomBytes(4 << 20));
    content.set([0, 255, 92, 39, 0]);
    const digest = digestOf(content);
    const size = 2 ** 53 - 1;
    await catalog.insertInto("blob").values({ digest, size, content }).execute();
    const row = await (await open()).selectFrom("blob").selectAll().where("digest", "=", digest).executeTakeFirst();
    expect(row?.size).toBe(size);
    expect(row?.content).toBeInstanceOf(Uint8Array);
    expect(digestOf(row?.content ?? "")).toBe(digest);
  });

  test("a variant is read by another connection as soon as it is put, and putting it twice is well", async () => {
    const { catalog, open } = fixture();
    const variant = { digest: digestOf("variant"), original: digestOf("original"), urls: '{"urls":["https://é/"]}' };
    await putVariant(catalog, variant);
    const other = await open();
    await putVariant(other, variant);
    expect(await readVariant(other, variant.digest)).toStrictEqual(variant);
  });
};
