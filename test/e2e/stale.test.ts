import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientNames } from "../lib/clients/client.ts";
import { startClient } from "../lib/clients/start.ts";
import { manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { observe, servedBy } from "../lib/traffic.ts";

const MIRRORS = [
  { name: "example-jp", country: "JP" },
  { name: "example-de", country: "DE" },
] as const;

/** The mirror in Japan has stopped to pull from the master after the first image; the second shares a layer with it. */
describe("a client in Japan, whose only near mirror is stale", () => {
  /** The layers of the second image, the shared one first. */
  let layers: readonly { readonly digest: string; readonly bytes: Buffer }[] = [];
  let folder: TemporaryFolder;
  let network: Network | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder("stale");
    for (const name of ["registry", "rsync", "nginx"] as const) if (await whyNot(name)) return;
    const settings = { crawler: { interval: "500ms" } };
    network = await startNetwork({ dir: folder.path, mirrors: MIRRORS, settings });
    const { registry, mirrors, master } = network;
    let tag = 0;
    for await (const image of randomImages({ seed: "stale", count: 2, layers: 2, sharedLayers: 1 })) {
      tag += 1;
      await pushImage(registry.url, "fedora/app", String(tag), image);
      expectOk(await network.sync());
      expectOk(await network.publish());
      if (tag === 1) {
        await network.pullMirrors();
        await network.serve();
        await network.untilFresh();
      }
      layers = manifestFor(image, "amd64").layers;
    }
    await mirrors.get("example-de")?.pull(`${master.url}containers/`);
    const expected = { "example-jp": "behind", "example-de": "fresh" };
    const url = `${network.mirrorlistUrl}/mirrors.json`;
    await until(async () => JSON.stringify(await statesAt(url)) === JSON.stringify(expected), {
      what: "the mirror in Japan to be behind",
    });
  });

  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  for (const name of clientNames) {
    test(`gets from it what it has, and the newest from another: ${name}`, async (context) => {
      await skipUnless(context, "registry", "rsync", "nginx", name);
      if (network === undefined) throw new Error("the network is not there");
      const reference = `${network.edges.get("JP")?.host}/fedora/app:2`;
      await using client = await startClient(name, await folder.at(name));
      const { traffic } = await observe(network, async () =>
        expectOk(await client.pull(reference, { platform: "linux/amd64" })),
      );
      const [shared, own] = layers;
      expect([shared, own].map((layer) => servedBy(traffic, layer?.digest ?? ""))).toEqual([
        [{ from: "example-jp", bytes: shared?.bytes.length }],
        [{ from: "example-de", bytes: own?.bytes.length }],
      ]);
    });
  }
});

/** The state of each mirror's linux-amd64. */
async function statesAt(url: string): Promise<Record<string, string | undefined>> {
  const { mirrors } = (await (await fetch(url)).json()) as {
    mirrors: { name: string; platforms: { platform: string; state: string }[] }[];
  };
  return Object.fromEntries(
    mirrors.map(({ name, platforms }) => [name, platforms.find(({ platform }) => platform === "linux-amd64")?.state]),
  );
}
