import { expect, test } from "vitest";
import { isPlatform, platformOf } from "./platform.ts";

test.each([
  [{ os: "linux", architecture: "amd64" }, "linux-amd64"],
  [{ os: "linux", architecture: "arm", variant: "v7" }, "linux-arm-v7"],
  [{ os: "linux", architecture: "arm64", variant: "v8" }, "linux-arm64"],
  [{ os: "linux", architecture: "ppc64le" }, "linux-ppc64le"],
  [{ os: "unknown", architecture: "unknown" }, "noarch"],
  [{ os: "../../etc", architecture: "amd64" }, "noarch"],
  [{ os: "linux" }, "noarch"],
  [undefined, "noarch"],
])("%j is %s", (parts, platform) => {
  expect(platformOf(parts)).toBe(platform);
  expect(isPlatform(platform)).toBe(true);
});

test.each(["", ".", "..", "linux", "zz-state/x", "linux-amd64/..", "Linux-amd64", "-a-b"])(
  "%j is no platform",
  (text) => {
    expect(isPlatform(text)).toBe(false);
  },
);
