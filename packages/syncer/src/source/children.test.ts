import type { Descriptor } from "@nearlayer/shared/descriptor";
import { digestOf } from "@nearlayer/shared/digest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { expect, test } from "vitest";
import { wantedChildren } from "./children.ts";

const child = (name: string, more: Partial<Descriptor> = {}): Descriptor => ({
  mediaType: MEDIA_TYPE.ociManifest,
  digest: digestOf(name),
  size: 1,
  ...more,
});
const linux = (architecture: string) => ({ platform: { os: "linux", architecture } });
const attestation = (name: string, of: Descriptor) =>
  child(name, {
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { "vnd.docker.reference.digest": of.digest, "vnd.docker.reference.type": "attestation-manifest" },
  });

const amd64 = child("amd64", linux("amd64"));
const arm64 = child("arm64", { platform: { os: "linux", architecture: "arm64", variant: "v8" } });
const silent = child("silent");
const [ofAmd64, ofArm64, ofNothing] = [
  attestation("a", amd64),
  attestation("b", arm64),
  attestation("c", child("not here")),
];
const manifests = [amd64, arm64, silent, ofAmd64, ofArm64, ofNothing];

test.each([
  ["every platform", () => true, [amd64, arm64, silent, ofAmd64, ofArm64]],
  ["one platform", (name: string) => name === "linux-amd64", [amd64, silent, ofAmd64]],
  ["no platform", () => false, [silent]],
])("of an index with attestations, with %s wanted", (_, wants, expected) => {
  expect(wantedChildren({ kind: "index", mediaType: MEDIA_TYPE.ociIndex, manifests }, wants)).toEqual(expected);
});
