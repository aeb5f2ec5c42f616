import { expect, test } from "vitest";
import { recordImage } from "../images.ts";
import { readRevision } from "../open.ts";
import { type RevisionWatchOptions, watchRevision } from "../watch.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, sampleImage } from "./samples.ts";

const image = sampleImage({ layers: { [AMD64]: ["a"] } });

/** What a watch told, in its order, and a way to wait for more of it. */
function record(options: Partial<RevisionWatchOptions> = {}) {
  const told: number[] = [];
  let wake = () => {};
  const onChange = async (revision: number) => {
    await options.onChange?.(revision);
    told.push(revision);
    wake();
  };
  const waitFor = async (revision: number) => {
    while (told.at(-1) !== revision) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { told, waitFor, options: { ...options, onChange } };
}

export const watchContract: ContractPart = (fixture) => {
  test("the present revision is told first, then each change that another connection makes", async () => {
    const { catalog, location, open } = fixture();
    const writer = await open();
    const first = await readRevision(catalog);
    const watched = record();
    await using _ = watchRevision(catalog, location, watched.options);
    await watched.waitFor(first);
    for (const revision of [first + 1, first + 2]) {
      await recordImage(writer, image);
      await watched.waitFor(revision);
    }
    expect(watched.told).toStrictEqual([first, first + 1, first + 2]);
  });

  test("a revision that is known already is not told again", async () => {
    const { catalog, location, open } = fixture();
    const after = await readRevision(catalog);
    const watched = record({ after });
    await using _ = watchRevision(catalog, location, watched.options);
    await recordImage(await open(), image);
    await watched.waitFor(after + 1);
    expect(watched.told).toStrictEqual([after + 1]);
  });

  test("what changes during a call comes as one call after it", async () => {
    const { catalog, location, open } = fixture();
    const writer = await open();
    const first = await readRevision(catalog);
    let running = 0;
    const watched = record({
      async onChange(revision) {
        expect(running++).toBe(0);
        if (revision === first) for (let count = 0; count < 3; count += 1) await recordImage(writer, image);
        running -= 1;
      },
    });
    await using _ = watchRevision(catalog, location, watched.options);
    await watched.waitFor(first + 3);
    expect(watched.told).toStrictEqual([first, first + 3]);
  });

  test("a call that fails is told as a state, and made again", async () => {
    const { catalog, location } = fixture();
    const states: unknown[] = [];
    let fails = 2;
    const watched = record({
      onChange() {
        if (fails-- > 0) throw new Error("no memory for it");
      },
      onState: (state) => states.push(state.ok ? "ok" : state.error),
    });
    const watch = watchRevision(catalog, location, watched.options);
    await watched.waitFor(await readRevision(catalog));
    await watch[Symbol.asyncDispose]();
    expect(states).toStrictEqual([new Error("no memory for it"), "ok"]);
  });

  test("a change that is rolled back is not told", async () => {
    const { catalog, location, open } = fixture();
    const writer = await open();
    const after = await readRevision(catalog);
    const watched = record({ after });
    await using _ = watchRevision(catalog, location, watched.options);
    await expect(recordImage(writer, { ...image, tag: null as unknown as typeof image.tag })).rejects.toThrow();
    await recordImage(writer, image);
    await watched.waitFor(after + 1);
    expect(watched.told).toStrictEqual([after + 1]);
  });

  test("once it is disposed of, it tells nothing and keeps nothing open", async () => {
    const { catalog, location, open } = fixture();
    const watched = record();
    const watch = watchRevision(catalog, location, watched.options);
    await watched.waitFor(await readRevision(catalog));
    await watch[Symbol.asyncDispose]();
    const count = watched.told.length;
    await recordImage(await open(), image);
    // A second watch has told of it: the first had its chance.
    const other = record();
    await using _ = watchRevision(catalog, location, other.options);
    await other.waitFor(await readRevision(catalog));
    expect(watched.told).toHaveLength(count);
  });
};
