import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { BuiltImage } from "./images/image.ts";
import { pushImage } from "./images/push.ts";
import { randomImages } from "./images/samples.ts";
import { program, syncer } from "./nearlayer.ts";
import type { Registry } from "./peers/registry.ts";
import { expectOk } from "./process/run.ts";
import { until } from "./process/until.ts";
import { publishedBlobs } from "./site.ts";
import { readTree, type TreeState } from "./tree.ts";

const commands = ["sync", "publish", "gc"] as const;
type CrashCommand = (typeof commands)[number];

/** How many times each command was killed while it ran. */
export type Kills = Record<CrashCommand, number>;

/** How many tags the source keeps: older ones are taken away, so that gc has something to do. */
const TAGS_KEPT = 3;

/**
 * Kills the syncer with SIGKILL at random moments until that has happened `kills` times, and throws as soon as anything
 * does not hold after one: a file under pub/ or at the target that is not whole, a generation that names a missing file, a
 * next run that fails, or one that asks the registry for a blob again that the store had.
 */
export async function crash(dir: string, registry: Registry, kills: number): Promise<Kills> {
  const [config, root, target] = [join(dir, "nearlayer.yaml"), join(dir, "root"), join(dir, "target")];
  const source = { url: registry.url, repositories: ["crash/app"], retries: 1 };
  const removal = { grace: "1ms", abandonedDownloads: "1h" };
  const publish = { targets: [`${target}/`] };
  await writeFile(config, stringify({ catalog: "catalog.db", root: "root", source, publish, removal }));

  const pushedImages: BuiltImage[] = [];
  const images = randomImages({ seed: dir, count: 1000, layers: 3, layerSize: 300_000, sharedLayers: 1 });
  /** The source changes: a new tag comes, and the oldest goes. */
  const change = async () => {
    const { value } = await images.next();
    if (value === undefined) throw new Error("out of images");
    const tag = pushedImages.push(value) - 1;
    await pushImage(registry.url, "crash/app", `t${tag}`, value);
    const old = `docker/registry/v2/repositories/crash/app/_manifests/tags/t${tag - TAGS_KEPT}`;
    await rm(join(registry.storage, old), { recursive: true, force: true });
  };
  const check = async (): Promise<TreeState> => {
    await readTree(target, { isTarget: true });
    return readTree(join(root, "pub"));
  };
  const complete = async (command: CrashCommand) => {
    const before = new Set(await storedDigests(root));
    const mark = await registry.log.mark();
    const { milliseconds } = expectOk(await syncer(config, [command]));
    const again = (await registry.log.entries(mark)).filter(
      ({ kind, uri }) => kind === "blob" && before.has(uri.slice(uri.lastIndexOf("/") + 1)),
    );
    if (again.length > 0) throw new Error(`fetched again: ${again.map(({ uri }) => uri).join(", ")}`);
    await check();
    // What a killed rsync left is gone once a run has ended, or soon after: one that outlives its parent ends first.
    if (command === "publish") await until(() => readTree(target), { what: "a target with nothing left over" });
    return milliseconds;
  };

  const done: Kills = { sync: 0, publish: 0, gc: 0 };
  const duration: Kills = { sync: 0, publish: 0, gc: 0 };
  await change();
  for (const command of commands) duration[command] = await complete(command);
  for (let round = 0; done.sync + done.publish + done.gc < kills; round += 1) {
    const command = commands[round % commands.length] ?? "sync";
    if (command === "sync") await change();
    // The first fifth of a run is the program being loaded.
    const delay = duration[command] * (0.2 + 0.8 * Math.random());
    const wasKilled = await runAndKill(config, command, delay, round % 2 === 0);
    if (wasKilled) done[command] += 1;
    try {
      await check();
      duration[command] = await complete(command);
    } catch (cause) {
      throw new Error(`round ${round}, ${command} ${wasKilled ? "killed" : "ended"} after ${delay | 0} ms: ${cause}`, {
        cause,
      });
    }
  }
  // In the end, all is as if nothing had happened. A tag is gone after it was missing from two listings.
  for (const command of ["sync", "sync", "gc", "publish"] as const) await complete(command);
  const expected = new Set(pushedImages.slice(-TAGS_KEPT).flatMap(publishedBlobs));
  for (const pub of [join(root, "pub"), target]) assert.deepEqual((await readTree(pub)).blobs, expected);
  return done;
}

/** Says whether it was still running when it was killed. With `group`, what it has started goes with it. */
async function runAndKill(config: string, command: string, delay: number, group: boolean): Promise<boolean> {
  const [node, bin] = program("syncer");
  const child = spawn(node, [bin, command, "--config", config], { stdio: "ignore", detached: true });
  const ended = once(child, "exit");
  await Promise.race([sleep(delay), ended]);
  if (child.exitCode !== null || child.pid === undefined) return false;
  process.kill(group ? -child.pid : child.pid, "SIGKILL");
  await ended;
  return child.signalCode === "SIGKILL";
}

async function storedDigests(root: string): Promise<string[]> {
  const names = await readdir(join(root, "store/blobs/sha256"), { recursive: true }).catch(() => []);
  return names.filter((name) => name.length > 60).map((name) => `sha256:${name.slice(name.lastIndexOf("/") + 1)}`);
}
