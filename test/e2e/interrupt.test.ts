import { rm } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@nearlayer/shared/config/load";
import { gc } from "@nearlayer/syncer/commands/gc";
import { verify } from "@nearlayer/syncer/commands/verify";
import { SILENT } from "@nearlayer/syncer/progress/progress";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, type Site } from "../lib/site.ts";

const missing = await whyNot("registry");
const STOP = new Error("asked to end");

describe.skipIf(missing !== undefined)(`a command that is asked to end (${missing ?? "docker-registry"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let site: Site;
  let abort: AbortController;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("interrupt");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = randomImages({ seed: "interrupt", count: 2, layers: 12, layerSize: 3_000_000 });
    let index = 0;
    for await (const image of images) await pushImage(registry.url, "fedora/app", String(index++), image);
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    round += 1;
    abort = new AbortController();
    site = await createSite(await folder.at(`site${round}`), { url: registry.url, repositories: ["fedora/app"] });
    await site.configure({}, { removal: { grace: "0s" } });
    expectOk(await site.sync());
  });

  test("verify ends between two blobs, and between two pieces of one", async () => {
    let begun = 0;
    let pieces = 0;
    const begin = () => {
      begun += 1;
      return {
        ...SILENT.begin("", 0),
        at() {
          pieces += 1;
          abort.abort(STOP);
        },
      };
    };
    const run = { signal: abort.signal, progress: { ...SILENT, begin } };
    await expect(verify(loadConfig(site.config), {}, run)).rejects.toBe(STOP);
    // Of some fifty blobs, those that were looked at side by side; of each a piece, not its three.
    expect(begun).toBeLessThanOrEqual(4);
    expect(pieces).toBeLessThanOrEqual(4);
  });

  test("verify --quick ends between two pages", async () => {
    const phases: string[] = [];
    const phase = (what: string) => {
      phases.push(what);
      abort.abort(STOP);
    };
    const run = { signal: abort.signal, progress: { ...SILENT, phase } };
    await expect(verify(loadConfig(site.config), { quick: true }, run)).rejects.toBe(STOP);
    expect(phases).toEqual(["reading the store"]);
  });

  test.each(["looking for what nothing needs", "removing"])(
    "gc ends while it is %s, with nothing half removed, and the next run completes it",
    async (at) => {
      const before = await site.published();
      const forget = [{ repository: "fedora/app", tag: "1" }] as never;
      const phase = (what: string) => what === at && abort.abort(STOP);
      const run = { signal: abort.signal, progress: { ...SILENT, phase } };
      await expect(gc(loadConfig(site.config), { forget }, run)).rejects.toBe(STOP);
      expect(await site.published()).toEqual(before);
      expect((await site.run<{ wrong: number }>("verify")).report).toMatchObject({ wrong: 0 });

      expectOk(await site.run("gc", ...(at === "removing" ? [] : ["--forget", "fedora/app:1"])));
      const after = await site.published();
      expect(after.length).toBeLessThan(before.length);
      await rm(join(site.root, "store"), { recursive: true });
    },
  );
});
