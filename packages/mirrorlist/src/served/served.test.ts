import { openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { createLogger } from "@nearlayer/shared/log";
import { parseRepository } from "@nearlayer/shared/reference";
import { expect, onTestFinished, test, vi } from "vitest";
import { AMD64, ARM64 } from "../testing/mirrors.ts";
import { createTree } from "../testing/tree.ts";
import { createBlobTable } from "./blob-table.ts";
import { readSnapshot } from "./read.ts";
import { EMPTY_SNAPSHOT } from "./snapshot.ts";
import { watchCatalog } from "./watch.ts";

test("a blob table finds what a Map finds", () => {
  const digests = Array.from({ length: 5000 }, (_, index) => digestOf(`${index}`));
  // Digests that fall into one slot, and differ in their last word alone.
  const crowd = Array.from(
    { length: 20 },
    (_, index) => `sha256:${"0".repeat(56)}${String(index).padStart(8, "0")}` as Digest,
  );
  const all = [...digests, ...crowd];
  const known = new Map(
    all.map((digest, index) => [
      digest,
      {
        size: index * 2 ** 20,
        placements: [AMD64, ARM64].slice(0, index % 3).map((platform) => ({ platform, since: index % 7 })),
      },
    ]),
  );
  const builder = createBlobTable(all.length);
  for (const [digest, { size }] of known) builder.add(digest, size);
  for (const [digest, { placements }] of known) for (const each of placements) builder.place(digest, each);
  builder.place(digestOf("never added"), { platform: AMD64, since: 1 });
  const table = builder.build();
  for (const [digest, blob] of known) expect(table.get(digest)).toEqual(blob);
  for (let index = 0; index < 5000; index++) expect(table.get(digestOf(`not ${index}`))).toBeUndefined();
  expect(table.size).toBe(all.length);
  expect(() => builder.add(digestOf("one more"), 1)).toThrow("more than 5020");
});

test("a table for nothing has nothing", () => {
  expect(createBlobTable(0).build().get(digestOf("x"))).toBeUndefined();
});

async function setUp() {
  const tree = await createTree();
  onTestFinished(() => tree[Symbol.asyncDispose]());
  return tree;
}

test("a snapshot holds where each blob is, in all its platforms, and what was dropped is nowhere", async () => {
  const tree = await setUp();
  await tree.publish(AMD64, 4);
  await tree.push({ repository: "a", tag: "1", layers: ["one", "both"] });
  await tree.push({ repository: "b", tag: "1", layers: ["both", "gone"], platforms: [ARM64] });
  await tree.catalog.updateTable("platformBlob").set({ until: 3 }).where("digest", "=", digestOf("gone")).execute();
  const snapshot = await readSnapshot(tree.catalog, EMPTY_SNAPSHOT);
  expect(snapshot.blobs.get(digestOf("one"))?.placements).toEqual([{ platform: AMD64, since: 5 }]);
  expect(snapshot.blobs.get(digestOf("both"))?.placements).toEqual([
    { platform: AMD64, since: 5 },
    { platform: ARM64, since: 1 },
  ]);
  expect(snapshot.blobs.get(digestOf("gone"))?.placements).toEqual([]);
  expect(snapshot.generations).toEqual(new Map([[AMD64, 4]]));
});

test("what has not changed is taken over, not read again", async () => {
  const tree = await setUp();
  const first = await tree.push({ repository: "a", tag: "1", layers: ["one"] });
  const before = await readSnapshot(tree.catalog, EMPTY_SNAPSHOT);
  await tree.push({ repository: "a", tag: "2", layers: ["two"] });
  const after = await readSnapshot(tree.catalog, before);
  expect(after.manifests.get(first.digest)).toBe(before.manifests.get(first.digest));
  expect(after.contents.get(first.config)).toBe(before.contents.get(first.config));
  expect([...after.repositories.values()][0]?.tagNames).toEqual(["1", "2"]);
  expect([...before.repositories.values()][0]?.tagNames).toEqual(["1"]);
});

test("a change of the catalog is seen, and what was seen stays when the catalog goes away", async () => {
  const tree = await setUp();
  const catalog = await openCatalog(tree.location);
  const watch = await watchCatalog(catalog, tree.location, createLogger("test", "silent"));
  onTestFinished(() => watch[Symbol.asyncDispose]());
  expect(watch.current().repositoryNames).toEqual([]);
  await tree.push({ repository: "a", tag: "1", layers: ["one"] });
  await vi.waitFor(
    () => expect(watch.current().repositories.get(parseRepository("a"))?.tagNames).toEqual(["1"]),
    10_000,
  );
  await catalog.destroy();
  await vi.waitFor(() => expect(watch.failure()).toBeDefined(), 10_000);
  expect(watch.current().repositoryNames).toEqual(["a"]);
});
