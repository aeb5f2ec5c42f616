import { expect, test } from "vitest";
import { listPages } from "../generations.ts";
import { recordImage } from "../images.ts";
import { readRevision } from "../open.ts";
import { readRepositories } from "../served.ts";
import type { ContractPart } from "./contract.ts";
import { readTags } from "./read-tags.ts";
import { AMD64, layerOf, sampleImage } from "./samples.ts";

export const processesContract: ContractPart = (fixture) => {
  test("of two processes that write at once nothing is lost", async () => {
    const { catalog, startWriter } = fixture();
    const before = await readRevision(catalog);
    const writers = ["left", "right"].map((name) => startWriter("images", name, "25"));
    for (const writer of writers) expect(await writer.ended()).toStrictEqual({ code: 0, stderr: "" });

    expect(await readRevision(catalog)).toBe(before + 50);
    expect(await readTags(catalog)).toHaveLength(50);
    const blobs = (await Array.fromAsync(listPages(catalog, AMD64, 1))).flat();
    // 25 layers and 25 configurations of each, and the layer that all share.
    expect(blobs).toHaveLength(101);
    expect(blobs.filter(({ digest }) => digest === layerOf("shared").digest)).toHaveLength(1);
  });

  test("what is read in a writer's transaction still holds when it is written", async () => {
    const { catalog, open } = fixture();
    const others = [catalog, await open(), await open()];
    // Each reads first and writes what it read plus one: without turns, one would undo another, or fail.
    const increment = (one: typeof catalog) =>
      one.transaction().execute(async (transaction) => {
        const value = await readRevision(transaction);
        await new Promise((resolve) => setImmediate(resolve));
        await transaction
          .updateTable("meta")
          .set({ value: value + 1 })
          .where("key", "=", "revision")
          .execute();
      });
    const before = await readRevision(catalog);
    // SQLite waits on our own thread: in one process its connections go one after the other.
    if (fixture().location.startsWith("postgres:")) {
      await Promise.all(others.flatMap((one) => [increment(one), increment(one)]));
    } else {
      for (const one of others) await Promise.all([increment(one), increment(one)]);
    }
    expect(await readRevision(catalog)).toBe(before + 6);
  });

  test("nothing is seen of a process that is killed in the middle, and nobody waits for it", async () => {
    const { catalog, startWriter } = fixture();
    const before = await readRevision(catalog);
    const writer = startWriter("stay");
    expect(await writer.nextLine()).toBe("in the middle");
    await writer.kill();

    expect(await readRepositories(catalog)).toStrictEqual([]);
    expect(await readTags(catalog)).toStrictEqual([]);
    await recordImage(catalog, sampleImage({ layers: { [AMD64]: ["after"] } }));
    expect(await readRevision(catalog)).toBe(before + 1);
  });

  test("a catalog that is used and closed says nothing on stderr", async () => {
    const { startWriter } = fixture();
    expect(await startWriter("images", "quiet", "1").ended()).toStrictEqual({ code: 0, stderr: "" });
  });
};
