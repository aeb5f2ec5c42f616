import { expect, test } from "vitest";
import { parseManifest } from "./manifest.ts";
import { MEDIA_TYPE } from "./mediatype.ts";

const descriptor = { mediaType: "application/x", digest: `sha256:${"a".repeat(64)}`, size: 3 };
const bytes = (document: unknown) => Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
const image = { schemaVersion: 2, mediaType: MEDIA_TYPE.schema2, config: descriptor, layers: [descriptor] };
const index = { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: "linux", architecture: "arm64" } }] };

test("reads an image and an index, OCI ones also without a mediaType", () => {
  expect(parseManifest(bytes(image), MEDIA_TYPE.schema2)).toMatchObject({ kind: "image", layers: [descriptor] });
  expect(parseManifest(bytes(index))).toMatchObject({ kind: "index", mediaType: MEDIA_TYPE.ociIndex });
});

test.each([
  ["<html>", "manifest is not JSON"],
  ["[1]", "not a JSON object"],
  [{ schemaVersion: 1, fsLayers: [] }, "schema 1 manifests are not carried"],
  [{ ...image, manifests: [] }, "both manifests and layers"],
  [{ ...image, mediaType: "application/x" }, "manifests of type application/x are not carried"],
  [{ ...image, mediaType: MEDIA_TYPE.ociManifest }, "its registry says"],
  [
    { ...image, layers: [{ ...descriptor, digest: "sha256:../../x" }] },
    "manifest layers.0.digest: not a sha256 digest",
  ],
  [{ ...image, layers: [{ ...descriptor, size: -1 }] }, "manifest layers.0.size"],
  [{ ...image, config: undefined }, "manifest config"],
])("refuses %j", (document, message) => {
  expect(() => parseManifest(bytes(document), MEDIA_TYPE.schema2)).toThrow(message);
});

test("refuses a manifest that is too large before reading it", () => {
  expect(() => parseManifest(new Uint8Array(4 * 1024 * 1024 + 1))).toThrow("more than 4194304");
});
