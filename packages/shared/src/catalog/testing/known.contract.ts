import { expect, test } from "vitest";
import { digestOf } from "../../digest.ts";
import { parseRepository } from "../../reference.ts";
import { recordImage } from "../images.ts";
import {
  hasTags,
  isManifestIn,
  readCarriedManifest,
  readContent,
  readReferrersApi,
  writeReferrersApi,
} from "../known.ts";
import { markManifests } from "../removal.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

export const knownContract: ContractPart = (fixture) => {
  test("a carried manifest is known with the platforms that it was carried for", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"], [ARM64]: ["b"] } });
    await recordImage(catalog, image);
    for (const { digest, bytes, manifest, platforms } of image.manifests) {
      const known = await readCarriedManifest(catalog, digest);
      expect(known).toStrictEqual({ bytes, mediaType: manifest.mediaType, platforms, isOnItsWayOut: false });
      expect(await isManifestIn(catalog, image.repository, digest)).toBe(true);
      expect(await isManifestIn(catalog, parseRepository("another"), digest)).toBe(false);
    }
    expect(await readCarriedManifest(catalog, digestOf("nothing"))).toBeUndefined();
  });

  test("one that nothing leads to any more is told from the others", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    await markManifests(catalog, { unneeded: [image.digest], needed: [] }, new Date(0).toISOString());
    expect(await readCarriedManifest(catalog, image.digest)).toMatchObject({ isOnItsWayOut: true });
  });

  test("a configuration is read back, a layer is not kept", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    await recordImage(catalog, image);
    for (const [digest, content] of image.contents) expect(await readContent(catalog, digest)).toStrictEqual(content);
    expect(await readContent(catalog, layerOf("a").digest)).toBeUndefined();
  });

  test("whether a repository has tags is known", async () => {
    const { catalog } = fixture();
    const image = sampleImage({ layers: { [AMD64]: ["a"] } });
    expect(await hasTags(catalog, image.repository)).toBe(false);
    await recordImage(catalog, image);
    expect(await hasTags(catalog, image.repository)).toBe(true);
  });

  test("whether the source has a referrers API is remembered", async () => {
    const { catalog } = fixture();
    expect(await readReferrersApi(catalog)).toBe(false);
    for (const hasApi of [true, false, true]) {
      await writeReferrersApi(catalog, hasApi);
      expect(await readReferrersApi(catalog)).toBe(hasApi);
    }
  });
};
