import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";
import { expect, test } from "vitest";
import { isWhole, type Known, type KnownManifest, knownBelow } from "./known.ts";

const [amd64, arm64] = [parsePlatform("linux-amd64"), parsePlatform("linux-arm64")];
const descriptor = (digest: Digest, mediaType: string) => ({ mediaType, digest, size: 1 });

function known(document: object, platforms: readonly Platform[] = [], isOnItsWayOut = false): KnownManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...document }));
  return { digest: digestOf(bytes), bytes, contentType: undefined, platforms, isOnItsWayOut };
}
const imageOf = (name: string, ...more: [(readonly Platform[])?, boolean?]) =>
  known({ config: descriptor(digestOf(name), "application/json"), layers: [] }, ...more);
const indexOf = (children: readonly (readonly [KnownManifest, string])[]) =>
  known({
    manifests: children.map(([{ digest }, architecture]) => ({
      ...descriptor(digest, MEDIA_TYPE.ociManifest),
      platform: { os: "linux", architecture },
    })),
  });
const catalogOf = (...manifests: readonly KnownManifest[]): Known => ({
  tag: async () => undefined,
  manifest: async (digest) => manifests.find((manifest) => manifest.digest === digest),
  isIn: async () => false,
  hasTags: async () => false,
  config: async () => undefined,
  hasReferrersApi: false,
});

const a = imageOf("a", [amd64]);
const b = imageOf("b", [arm64]);
const index = indexOf([
  [a, "amd64"],
  [b, "arm64"],
]);
const all = () => true;
const onlyAmd64 = (platform: Platform) => platform === amd64;

test.each([
  ["all is there is whole", [index, a, b], all, true],
  ["a platform was left out, and still is, is whole", [index, a], onlyAmd64, true],
  ["a platform was left out, and is wanted now, is not", [index, a], all, false],
  ["only the children are known is not", [a, b], all, false],
  ["a child is on its way out is not", [index, a, imageOf("b", [arm64], true)], all, false],
  ["a child was carried for another platform is not", [index, a, imageOf("b", [amd64])], all, false],
] as const)("when %s, it is whole: %3$s", async (_, manifests, wants, expected) => {
  expect(await isWhole(catalogOf(...manifests), wants, index.digest)).toBe(expected);
});

test("an image that stands alone is whole when it was carried for any platform", async () => {
  expect(await isWhole(catalogOf(a), all, a.digest)).toBe(true);
  const bare = imageOf("a");
  expect(await isWhole(catalogOf(bare), all, bare.digest)).toBe(false);
});

test("what is below a manifest is what is known of it", async () => {
  expect(await knownBelow(catalogOf(index, b), index.digest)).toEqual([index.digest, b.digest]);
});
