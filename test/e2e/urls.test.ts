import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type PodmanClient, podmanClient } from "../lib/clients/podman.ts";
import { skopeoCopy } from "../lib/clients/skopeo.ts";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import type { Daemon } from "../lib/process/daemon.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, runOk } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { observe, servedBy, type Traffic } from "../lib/traffic.ts";

const NEEDS = ["registry", "rsync", "nginx", "busybox"] as const;
const PLATFORM = { platform: "linux/amd64" };
/** Each test has its own: who pulls the same again within a minute is taken to have been failed by the mirrors. */
const IMAGES = [
  ["list", "docker-list"],
  ["index", "oci-index"],
  ["built-on", "docker-manifest"],
  ["pinned", "docker-list"],
  ["pushed", "docker-list"],
] as const;

/** podman reads in the manifest where the layers are, and asks the mirrors itself. */
describe("urls delivery to podman", () => {
  const images = new Map<string, BuiltImage>();
  let folder: TemporaryFolder;
  let network: Network;
  let mirrorlist: Daemon;

  beforeAll(async () => {
    folder = await temporaryFolder("urls");
    for (const name of [...NEEDS, "podman"] as const) if (await whyNot(name)) return;
    const mirrors = [
      { name: "example-jp", country: "JP" },
      { name: "example-de", country: "DE" },
    ] as const;
    network = await startNetwork({ dir: folder.path, mirrors, countries: ["JP"] });
    for (const [name, kind] of IMAGES) {
      const image = await sampleImage({ name, kind });
      images.set(`fedora/${name}`, image);
      await pushImage(network.registry.url, `fedora/${name}`, "40", image);
    }
    expectOk(await network.sync());
    expectOk(await network.publish());
    await network.pullMirrors();
    mirrorlist = await network.serve();
    await network.untilFresh();
  });

  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const host = () => network.edges.get("JP")?.host ?? "";
  const imageOf = (name: string): BuiltImage => {
    const image = images.get(`fedora/${name}`);
    if (image === undefined) throw new Error(`there is no image ${name}`);
    return image;
  };
  const layersOf = (image: BuiltImage) => manifestFor(image, "amd64").layers;
  const blobsAskedOfUs = (traffic: readonly Traffic[], digest: string) =>
    traffic.filter(({ from, uri }) => from === "mirror list" && uri.includes(digest));

  test("every layer of a multi-platform image comes straight from the mirror, and it runs", async (context) => {
    await skipUnless(context, ...NEEDS, "podman");
    await using podman = await podmanClient(await folder.at("direct"));
    for (const name of ["list", "index"]) {
      const [reference, image] = [`${host()}/fedora/${name}:40`, imageOf(name)];
      const { traffic } = await observe(network, async () => expectOk(await podman.pull(reference, PLATFORM)));
      for (const { digest, bytes } of layersOf(image)) {
        expect(servedBy(traffic, digest)).toEqual([{ from: "example-jp", bytes: bytes.length }]);
        expect(blobsAskedOfUs(traffic, digest)).toEqual([]);
      }
      expect(expectOk(await podman.run(reference, ["/bin/hello"])).stdout).toMatch("Hello from");
      await podman.forget();
    }
  });

  test("buildah gets the layers of a single manifest from the mirror too", async (context) => {
    await skipUnless(context, ...NEEDS, "buildah");
    const dir = await folder.at("buildah");
    const storage = ["--root", `${dir}/root`, "--runroot", `${dir}/run`, "--storage-driver", "vfs"];
    const reference = `${host()}/fedora/built-on:40`;
    const { traffic } = await observe(network, () =>
      runOk("buildah", [...storage, "pull", "--tls-verify=false", reference], { env: { HOME: dir } }),
    );
    for (const { digest, bytes } of layersOf(imageOf("built-on"))) {
      expect(servedBy(traffic, digest)).toEqual([{ from: "example-jp", bytes: bytes.length }]);
      expect(blobsAskedOfUs(traffic, digest)).toEqual([]);
    }
  });

  test("what podman pulled by urls it pushes whole", async (context) => {
    await skipUnless(context, ...NEEDS, "podman");
    await using podman = await podmanClient(await folder.at("pushed"));
    expectOk(await podman.pull(`${host()}/fedora/pushed:40`, PLATFORM));
    expectOk(await podman.push(`${host()}/fedora/pushed:40`, `${new URL(network.registry.url).host}/copied:40`));
    const { layers } = await fetch(`${network.registry.url}/v2/copied/manifests/40`, {
      headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
    }).then((response) => response.json() as Promise<{ layers: { digest: string; urls?: string[] }[] }>);
    expect(layers).toHaveLength(layersOf(imageOf("pushed")).length);
    for (const { digest } of layers) {
      const { status } = await fetch(`${network.registry.url}/v2/copied/blobs/${digest}`, { method: "HEAD" });
      expect(status).toBe(200);
    }
  });

  test("what podman recorded is there after a restart, and when the mirror that it names is gone", async (context) => {
    await skipUnless(context, ...NEEDS, "podman");
    await using podman = await podmanClient(await folder.at("pinned"));
    const [repository, image] = ["fedora/pinned", imageOf("pinned")];
    expectOk(await podman.pull(`${host()}/${repository}:40`, PLATFORM));
    const recorded = await digestsOf(`${host()}/${repository}:40`, podman);
    expect(recorded.length).toBeGreaterThan(0);
    expect(recorded).not.toContain(image.digest);
    await podman.forget();

    // The near mirror is taken out, for good, and its server with it.
    await mirrorlist.stop();
    await network.mirrors.get("example-jp")?.stop();
    const config = parse(await readFile(network.config, "utf8"));
    config.mirrors = config.mirrors.filter(({ name }: { name: string }) => name !== "example-jp");
    await writeFile(network.config, stringify(config));
    mirrorlist = await network.serve();

    for (const digest of recorded) {
      const reference = `${host()}/${repository}@${digest}`;
      const { traffic } = await observeWithout(network, "example-jp", async () =>
        expectOk(await podman.pull(reference, PLATFORM)),
      );
      // The first URL leads nowhere: podman goes on to the second, the next mirror, by itself.
      for (const { digest: layer, bytes } of layersOf(image)) {
        expect(servedBy(traffic, layer)).toEqual([{ from: "example-de", bytes: bytes.length }]);
        expect(blobsAskedOfUs(traffic, layer)).toEqual([]);
      }
      await podman.forget();
    }
  });

  test("the original is what its own digest means, and skopeo copies it whole", async (context) => {
    await skipUnless(context, ...NEEDS, "podman", "skopeo");
    for (const [repository, image] of images) {
      const target = await folder.at(`copy-${repository.replace("/", "-")}`);
      expectOk(await skopeoCopy(`docker://${host()}/${repository}@${image.digest}`, `dir:${target}`, { all: true }));
      expect(await readFile(`${target}/manifest.json`)).toEqual(image.bytes);
    }
  });
});

/** The digests under which podman could be told to pull what it has pulled: of the index and of the image. */
async function digestsOf(reference: string, podman: PodmanClient): Promise<string[]> {
  const { stdout } = expectOk(await podman.inspect(reference));
  const [{ RepoDigests }] = JSON.parse(stdout) as [{ RepoDigests: string[] }];
  return RepoDigests.map((text) => text.slice(text.indexOf("@") + 1));
}

/** `observe`, where one of the mirrors is not running any more and so has no log to be settled. */
function observeWithout<T>(network: Network, mirror: string, action: () => Promise<T>) {
  const mirrors = new Map([...network.mirrors].filter(([name]) => name !== mirror));
  return observe({ ...network, mirrors }, action);
}
