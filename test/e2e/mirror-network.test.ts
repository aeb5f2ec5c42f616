import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { startClient } from "../lib/clients/start.ts";
import { manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";
import { startMirrorlist, syncer } from "../lib/nearlayer.ts";
import { startEdge } from "../lib/peers/edge.ts";
import { startMirror } from "../lib/peers/mirror.ts";
import { createMirrorScript, installMirrorScript, shells } from "../lib/peers/mirror-script.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { startMaster } from "../lib/peers/rsyncd.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless } from "../lib/requirements.ts";

/** Everything that an admin meets, and nothing that only a test would do: from the first question to the last pull. */
test("a mirror's whole life: set up, filled, opted in by upload, pulled from, left", async (context) => {
  await skipUnless(context, "registry", "rsync", "nginx", "busybox", "skopeo");
  await using folder = await temporaryFolder("mirror-network");
  await using running = new AsyncDisposableStack();

  // The operator: a registry, a signing key, a tree, its master, the mirror list.
  const registry = running.use(await startRegistry({ dir: await folder.at("registry") }));
  const image = await sampleImage({ name: "app", kind: "oci-index" });
  await pushImage(registry.url, "fedora/app", "40", image);
  const [config, key, uploads] = [
    join(folder.path, "nearlayer.yaml"),
    join(folder.path, "key.pem"),
    await folder.at("uploads"),
  ];
  const url = `http://127.0.0.1:${await freePort()}`;
  const settings = {
    ...{ catalog: join(folder.path, "catalog.db"), root: join(folder.path, "root"), source: { url: registry.url } },
    mirrorlist: { listen: new URL(url).host },
    optin: { folder: uploads, allowPrivateAddress: true },
    publish: { key },
  };
  await writeFile(config, stringify(settings));
  const { verifier } = JSON.parse(expectOk(await syncer(config, ["--json", "key", "generate"])).stdout);
  await writeFile(config, stringify({ ...settings, crawler: { interval: "1s", verifiers: [verifier] } }));
  expectOk(await syncer(config, ["sync"]));
  const options = { optin: uploads, optinUser: userInfo().username };
  const master = running.use(await startMaster({ dir: await folder.at("master"), config, options }));
  const daemon = running.use(await startMirrorlist(config, url, await folder.at("mirrorlist")));

  // The admin: a web server over a folder, and the script.
  const mirror = running.use(await startMirror({ name: "example-jp", dir: await folder.at("mirror") }));
  const script = await installMirrorScript(await folder.at("usr"));
  const [shell] = await shells(await folder.at("shells"));
  if (shell === undefined) throw new Error("there is no shell");
  const admin = await createMirrorScript({
    ...{ dir: await folder.at("admin"), script, shell },
    settings: { target: mirror.root },
  });
  const answers = [
    ...["--master", `${master.url}containers`, "--target", mirror.root, "--name", "example-jp"],
    ...["--url", mirror.url, "--country", "JP", "--bandwidth", "1000", "--verifier", verifier],
  ];
  expectOk(await admin.run(["init", "--force", ...answers]));
  expectOk(await admin.run(["sync"]));
  expectOk(await admin.run(["opt-in"]));

  const stateOf = async () => {
    const response = await fetch(`${url}/api/mirrors/example-jp`);
    return response.status === 200 ? ((await response.json()) as { state: string }).state : response.status;
  };
  await until(async () => (await stateOf()) === "active", { what: "the mirror to be active", within: 60_000 });

  // Pullers: every layer comes from there, and what is pushed next goes the same way.
  let pulls = 0;
  const layersFrom = async (tag: string, of: typeof image) => {
    // Each from an address of its own: who asks again within a minute says that it has been failed.
    const clientAddress = `133.11.${++pulls}.1`;
    const dir = await folder.at(`edge-${pulls}`);
    await using edge = await startEdge({ name: "edge", dir, backend: url, clientAddress });
    await using client = await startClient("skopeo", await folder.at(`client-${pulls}`));
    const [atMirror, atEdge] = [await mirror.log.mark(), await edge.log.mark()];
    expectOk(await client.pull(`${edge.host}/fedora/app:${tag}`, { platform: "linux/amd64" }));
    const isSent = (digest: string, entries: readonly { uri: string; status: number; agent: string }[]) =>
      entries.some(
        ({ uri, status, agent }) =>
          [200, 206].includes(status) && uri.includes(digest.slice(7)) && agent.includes("skopeo"),
      );
    const [mirrorLog, edgeLog] = [await mirror.log.entries(atMirror), await edge.log.entries(atEdge)];
    return manifestFor(of, "amd64").layers.map(({ digest }) =>
      isSent(digest, mirrorLog) ? "example-jp" : isSent(digest, edgeLog) ? "mirror list" : "nobody",
    );
  };
  const all = (from: string, of: typeof image) => manifestFor(of, "amd64").layers.map(() => from);
  expect(await layersFrom("40", image)).toEqual(all("example-jp", image));

  const next = await sampleImage({ name: "next", kind: "docker-list" });
  await pushImage(registry.url, "fedora/app", "41", next);
  expectOk(await syncer(config, ["sync"]));
  expectOk(await admin.run(["sync"]));
  const generations = async () => {
    const { mirrors } = (await (await fetch(`${url}/mirrors.json`)).json()) as {
      mirrors: { platforms: { state: string }[] }[];
    };
    return mirrors.flatMap(({ platforms }) => platforms.map(({ state }) => state));
  };
  await until(async () => (await generations()).every((state) => state === "fresh"), { what: "the next generation" });
  expect(await layersFrom("41", next)).toEqual(all("example-jp", next));

  expectOk(await admin.run(["opt-out"]));
  await until(async () => (await stateOf()) === 404, { what: "the mirror to have left" });
  expect(await layersFrom("40", image)).toEqual(all("mirror list", image));
  expect(daemon.running()).toBe(true);
});
