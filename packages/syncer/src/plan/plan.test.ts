import { digestOf } from "@nearlayer/shared/digest";
import { parseManifest } from "@nearlayer/shared/manifest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { parsePlatform } from "@nearlayer/shared/platform";
import { parseRepository } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import type { SourceImage } from "../source/image.ts";
import { planSync } from "./plan.ts";

const amd64 = parsePlatform("linux-amd64");
const arm64 = parsePlatform("linux-arm64");
const layerOf = (text: string, mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip") => ({
  mediaType,
  digest: digestOf(text),
  size: text.length,
});

function image(platform: typeof amd64, config: string, layers: readonly ReturnType<typeof layerOf>[]): SourceImage {
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPE.schema2, config: layerOf(config), layers };
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = digestOf(bytes);
  const manifests = [{ digest, bytes, manifest: parseManifest(bytes), platforms: [platform] }];
  return { digest, manifests, contents: new Map([[digestOf(config), Buffer.from(config)]]) };
}

test("a blob that images and platforms share is planned once, with all its platforms", () => {
  const plan = planSync([
    { repository: parseRepository("a"), image: image(amd64, "config a", [layerOf("shared"), layerOf("own")]) },
    { repository: parseRepository("b"), image: image(arm64, "config b", [layerOf("shared")]) },
  ]);
  expect(plan.blobs.size).toBe(4);
  expect(plan.blobs.get(digestOf("shared"))).toEqual({
    digest: digestOf("shared"),
    size: 6,
    repository: "a",
    alsoIn: ["b"],
    platforms: [amd64, arm64],
  });
  expect(plan.images.map(({ blobs }) => blobs)).toEqual([
    [digestOf("config a"), digestOf("shared"), digestOf("own")],
    [digestOf("config b"), digestOf("shared")],
  ]);
});

test("a configuration that was read already is not fetched again", () => {
  const plan = planSync([{ repository: parseRepository("a"), image: image(amd64, "config", []) }]);
  expect(plan.blobs.get(digestOf("config"))?.content).toEqual(Buffer.from("config"));
});

test("foreign layers stay where they are", () => {
  const foreign = layerOf("windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
  const plan = planSync([{ repository: parseRepository("a"), image: image(amd64, "config", [foreign]) }]);
  expect([...plan.blobs.keys()]).toEqual([digestOf("config")]);
});
