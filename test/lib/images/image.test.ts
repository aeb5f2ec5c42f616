import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { sha256 } from "./blob.ts";
import { allLayers, buildImage, type ImageKind } from "./image.ts";
import { randomLayer } from "./layer.ts";
import { randomImages } from "./samples.ts";

const kinds: { kind: ImageKind; platforms: string[]; family: RegExp }[] = [
  { kind: "docker-manifest", platforms: ["amd64"], family: /docker\.distribution\.manifest\.v2/ },
  { kind: "docker-list", platforms: ["amd64", "arm64"], family: /docker\.distribution\.manifest\.list\.v2/ },
  { kind: "oci-manifest", platforms: ["arm64"], family: /oci\.image\.manifest\.v1/ },
  { kind: "oci-index", platforms: ["amd64", "arm64"], family: /oci\.image\.index\.v1/ },
];

describe("built images", () => {
  test.each(kinds)("$kind names everything by digest and size", async ({ kind, platforms, family }) => {
    const shared = await randomLayer("shared", 1000);
    const parts = platforms.map(async (architecture) => ({
      platform: { os: "linux", architecture },
      layers: [await randomLayer(architecture, 500), shared],
    }));
    const image = buildImage(kind, await Promise.all(parts));

    expect(image.mediaType).toMatch(family);
    expect(image.digest).toBe(sha256(image.bytes));
    expect(image.manifests).toHaveLength(platforms.length);
    expect(allLayers(image)).toHaveLength(platforms.length + 1);
    for (const { bytes, config, layers } of image.manifests) {
      const manifest = JSON.parse(bytes.toString());
      expect(manifest.config).toMatchObject({ digest: config.digest, size: config.bytes.length });
      expect(manifest.layers).toMatchObject(
        layers.map((layer) => ({ digest: layer.digest, size: layer.bytes.length })),
      );
      expect(JSON.parse(config.bytes.toString()).rootfs.diff_ids).toEqual(
        layers.map((layer) => sha256(gunzipSync(layer.bytes))),
      );
    }
  });

  test("are the same for the same input", async () => {
    const digests = async (seed: string) => {
      const images = await Array.fromAsync(randomImages({ seed, count: 3, sharedLayers: 1, layerSize: 100 }));
      return images.map(({ digest }) => digest);
    };
    expect(await digests("a")).toEqual(await digests("a"));
    expect(new Set([...(await digests("a")), ...(await digests("b"))]).size).toBe(6);
  });

  test("share the layers that they are told to share", async () => {
    const images = await Array.fromAsync(
      randomImages({ seed: "s", count: 4, layers: 3, sharedLayers: 2, layerSize: 10 }),
    );
    const layers = new Set(images.flatMap((image) => allLayers(image).map(({ digest }) => digest)));
    // Two platforms: two shared layers each, and one of each image's own.
    expect(layers.size).toBe(2 * (2 + 4));
  });
});
