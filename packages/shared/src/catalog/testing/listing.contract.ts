import { expect, test } from "vitest";
import { digestOf } from "../../digest.ts";
import { parseTag } from "../../reference.ts";
import { recordImage } from "../images.ts";
import { findNeeds, listImages } from "../listing.ts";
import { deleteTags } from "../removal.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

export const listingContract: ContractPart = (fixture) => {
  test("images are listed with their platforms, and what they weigh when each blob counts once", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["shared", "own"], [ARM64]: ["shared"] } });
    await recordImage(catalog, image);
    await recordImage(catalog, { ...image, tag: parseTag("again") });
    const configs = [...image.contents.values()].reduce((sum, { length }) => sum + length, 0);
    const listed = { repository: image.repository, digest: image.digest, platforms: [AMD64, ARM64] };
    const size = configs + layerOf("shared").size + layerOf("own").size;
    expect(await listImages(catalog)).toStrictEqual([
      { ...listed, tag: "1", size },
      { ...listed, tag: "again", size },
    ]);
  });

  test("a blob is needed by the manifests that name it, tagged or not, and wherever it is published", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"], [ARM64]: ["a"] } });
    await recordImage(catalog, image);
    const layer = layerOf("a").digest;
    const useless = digestOf("useless");
    const { repository, digest } = image;
    await deleteTags(catalog, [{ repository, name: image.tag, digest, missing: 2 }]);
    const needs = await findNeeds(catalog, [useless, layer, digest]);
    expect([...needs.keys()].sort()).toStrictEqual([layer, digest].sort());
    expect(needs.get(layer)).toStrictEqual({ digest: layer, repositories: [repository], platforms: [AMD64, ARM64] });
    expect(needs.get(digest)).toMatchObject({ repositories: [repository], platforms: [] });
  });
};
