import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientNames } from "../lib/clients/client.ts";
import { startClient } from "../lib/clients/start.ts";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { observe, servedBy } from "../lib/traffic.ts";

const MIRRORS = [
  { name: "example-jp", country: "JP" },
  { name: "example-de", country: "DE" },
] as const;

/** From the push to the pull: every layer comes from the mirror of the client's country, and none from the registry. */
describe("pulling through the mirror list", () => {
  const kinds = ["docker-list", "oci-index"] as const;
  const images = new Map<string, BuiltImage>();
  let folder: TemporaryFolder;
  let network: Network | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder("pull");
    for (const name of ["registry", "rsync", "nginx", "busybox"] as const) if (await whyNot(name)) return;
    network = await startNetwork({ dir: folder.path, mirrors: MIRRORS });
    for (const kind of kinds) {
      const image = await sampleImage({ name: kind, kind });
      images.set(`fedora/${kind}`, image);
      await pushImage(network.registry.url, `fedora/${kind}`, "40", image);
    }
    expectOk(await network.sync());
    expectOk(await network.publish());
    await network.pullMirrors();
    await network.serve();
    await network.untilFresh();
  });

  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  for (const name of clientNames) {
    for (const { name: mirror, country } of MIRRORS) {
      test(`${name} in ${country} gets every layer from ${mirror}`, async (context) => {
        await skipUnless(context, "registry", "rsync", "nginx", "busybox", name);
        if (network === undefined) throw new Error("the network is not there");
        const { edges } = network;
        await using client = await startClient(name, await folder.at(`${name}-${country}`));
        for (const [repository, image] of images) {
          const reference = `${edges.get(country)?.host}/${repository}:40`;
          const { traffic } = await observe(network, async () =>
            expectOk(await client.pull(reference, { platform: "linux/amd64" })),
          );
          const layers = manifestFor(image, "amd64").layers;
          expect(layers.map(({ digest }) => servedBy(traffic, digest))).toEqual(
            layers.map(({ bytes }) => [{ from: mirror, bytes: bytes.length }]),
          );
          expect(traffic.filter(({ from }) => from === "registry")).toEqual([]);
          // The next image shares a layer with this one, which a client that has it would not fetch again.
          await client.forget();
        }
      });
    }
  }
});
