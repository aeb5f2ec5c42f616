import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildImage } from "../lib/images/image.ts";
import { randomLayer } from "../lib/images/layer.ts";
import { pushImage } from "../lib/images/push.ts";
import { program } from "../lib/nearlayer.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless } from "../lib/requirements.ts";
import { createSite } from "../lib/site.ts";
import { readTree } from "../lib/tree.ts";

/** rsync takes a third of a second for it. */
const LARGE = 150_000_000;

test("what a killed rsync leaves at a target goes with the next publish", async (context) => {
  await skipUnless(context, "registry", "rsync");
  await using folder = await temporaryFolder("killed");
  await using registry = await startRegistry({ dir: await folder.at("registry") });
  const target = await folder.at("target");
  const site = await createSite(await folder.at("site"), { url: registry.url, repositories: ["app"], timeout: "20s" });
  await site.configure({}, { publish: { targets: [`${target}/`] } });
  const push = async (tag: string, bytes: number) => {
    const layers = [await randomLayer(`killed ${tag}`, bytes)];
    const image = await buildImage("oci-manifest", [{ platform: { os: "linux", architecture: "amd64" }, layers }]);
    await pushImage(registry.url, "app", tag, image);
    expectOk(await site.sync());
  };
  const publish = () => site.run<{ targets: { pass?: string }[] }>("publish");
  const leftovers = async () => {
    const names = await readdir(target, { recursive: true });
    return names.filter((name) => /\/\.[0-9a-f]{64}\.\w{6}$/.test(name));
  };

  await push("small", 1000);
  expectOk(await publish());
  await push("large", LARGE);
  const [node, bin] = program("syncer");
  const killed = spawn(node, [bin, "publish", "--config", site.config], { stdio: "ignore", detached: true });
  const ended = once(killed, "exit");
  await until(async () => (await leftovers()).length > 0, { what: "rsync at work", every: 5 });
  process.kill(-(killed.pid ?? 0), "SIGKILL");
  await ended;
  expect(await leftovers()).toHaveLength(1);

  expect((await publish()).report.targets).toMatchObject([{ pass: "full" }]);
  expect(await readTree(target)).toEqual(await readTree(join(site.root, "pub")));
  expect((await publish()).report.targets).toMatchObject([{ pass: "nothing" }]);
});
