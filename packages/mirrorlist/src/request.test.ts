import { expect, test } from "vitest";
import { isRegistryPath, parseRequest, rawPath } from "./request.ts";
import { createRandom } from "./testing/random.ts";

const HEX = "a".repeat(64);
const DIGEST = `sha256:${HEX}`;

test.each([
  ["/v2", { kind: "version" }],
  ["/v2/", { kind: "version" }],
  ["/v2/_catalog", { kind: "catalog" }],
  ["/v2/fedora/app/tags/list", { kind: "tags", repository: "fedora/app" }],
  ["/v2/app/manifests/latest", { kind: "manifest", repository: "app", reference: { tag: "latest" } }],
  [`/v2/app/manifests/${DIGEST}`, { kind: "manifest", repository: "app", reference: { digest: DIGEST } }],
  [`/v2/app/manifests/sha256%3A${HEX}`, { kind: "manifest", reference: { digest: DIGEST } }],
  [`/v2/a/b/c/blobs/${DIGEST}`, { kind: "blob", repository: "a/b/c", digest: DIGEST }],
  [`/v2/app/referrers/${DIGEST}`, { kind: "referrers", repository: "app", digest: DIGEST }],
  // Words of the protocol are good names too.
  ["/v2/manifests/manifests/blobs", { kind: "manifest", repository: "manifests", reference: { tag: "blobs" } }],
  ["/v2/tags/list/tags/list", { kind: "tags", repository: "tags/list" }],
])("GET %s is understood", (path, asked) => {
  expect(parseRequest("GET", path)).toMatchObject(asked);
  expect(parseRequest("HEAD", path)).toMatchObject(asked);
});

test.each([
  ["/v2/../../etc/passwd", 400, "NAME_INVALID"],
  ["/v2/%2e%2e/%2e%2e/etc/passwd", 400, "NAME_INVALID"],
  [`/v2/../app/blobs/${DIGEST}`, 400, "NAME_INVALID"],
  [`/v2/fedora%2Fapp/blobs/${DIGEST}`, 400, "NAME_INVALID"],
  ["/v2/app/manifests/%", 400, "NAME_INVALID"],
  ["/v2/app/manifests/%ff", 400, "NAME_INVALID"],
  ["/v2/app/manifests/a%00b", 400, "NAME_INVALID"],
  ["/v2/App/manifests/latest", 400, "NAME_INVALID"],
  ["/v2//manifests/latest", 400, "NAME_INVALID"],
  ["/v2/manifests/latest", 400, "NAME_INVALID"],
  [`/v2/${"a".repeat(100_000)}/tags/list`, 400, "NAME_INVALID"],
  [`/v2/app/blobs/sha256:${"a".repeat(63)}`, 400, "DIGEST_INVALID"],
  [`/v2/app/blobs/sha256:${"a".repeat(65)}`, 400, "DIGEST_INVALID"],
  [`/v2/app/blobs/sha256:${"A".repeat(64)}`, 400, "DIGEST_INVALID"],
  ["/v2/app/blobs/latest", 400, "DIGEST_INVALID"],
  ["/v2/app/manifests/sha256:abc", 400, "DIGEST_INVALID"],
  [`/v2/app/blobs/sha512:${"a".repeat(128)}`, 404, "BLOB_UNKNOWN"],
  ["/v2/app/manifests/.INVALID_MANIFEST_NAME", 404, "MANIFEST_UNKNOWN"],
  ["/v2/app", 404, "UNSUPPORTED"],
  ["/v2/app/nonsense/x", 404, "UNSUPPORTED"],
  ["/v2/_catalog/", 400, "NAME_INVALID"],
])("GET %.60s is answered %d %s", (path, status, code) => {
  expect(parseRequest("GET", path)).toMatchObject({ kind: "error", status, code });
});

test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])("%s is 405", (method) => {
  const path = `/v2/app/blobs/${DIGEST}`;
  expect(parseRequest(method, path)).toMatchObject({ status: 405, code: "UNSUPPORTED" });
});

test.each([
  ["/v2/a/tags/list?n=1", "/v2/a/tags/list"],
  ["/v2/../x", "/v2/../x"],
  ["http://registry.example.org/v2/?x", "/v2/"],
  ["HTTP://registry.example.org?x", ""],
])("the raw path of %s is %s", (target, path) => {
  expect(rawPath(target)).toBe(path);
});

test("only /v2 and below is the registry", () => {
  expect(["/v2", "/v2/", "/v2/x", "/v21", "/", "/V2/"].map(isRegistryPath)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("whatever is asked, the answer is a value: nothing throws, and what is understood is well-formed", () => {
  const pieces = [
    "/",
    "v2",
    "..",
    ".",
    "%",
    "%2f",
    "%2e",
    "%00",
    "é",
    "blobs",
    `blobs/${DIGEST}`,
    "tags/list",
    "manifests",
    "tags",
    "list",
    "a",
    "A",
    DIGEST,
    ":",
    "?",
    "\\",
    "_catalog",
  ];
  const next = createRandom(1);
  const kinds = new Set<string>();
  for (let round = 0; round < 20_000; round++) {
    const length = next(10);
    let path = "/v2/";
    for (let piece = 0; piece < length; piece++) path += `${pieces[next(pieces.length)]}${next(2) ? "/" : ""}`;
    const asked = parseRequest("GET", path);
    kinds.add(asked.kind);
    if ("repository" in asked) expect(asked.repository).toMatch(/^[a-z0-9]+(?:[/._-]+[a-z0-9]+)*$/);
    if (asked.kind === "error") expect([400, 404]).toContain(asked.status);
  }
  // The pieces must have made good requests too, or this has tested nothing.
  expect([...kinds]).toEqual(expect.arrayContaining(["error", "blob", "manifest", "tags"]));
});
