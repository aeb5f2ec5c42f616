import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import type { Registry } from "../../lib/peers/registry.ts";
import { diskUsage, measure, measureSyncer } from "./measure.ts";
import { megabytes, printTable, seconds, times } from "./table.ts";

export interface ColdOptions {
  readonly tags: number;
  /** Of each platform's own layer, in bytes; the layer that all share is a third of it. */
  readonly layerSize: number;
  /** How often each program runs, from nothing; the fastest run counts. */
  readonly rounds: number;
}

const REPOSITORY = "bench/cold";

/** A cold copy of many tags, side by side with a plain download of the same blobs and with skopeo. */
export async function benchCold(registry: Registry, dir: string, options: ColdOptions): Promise<void> {
  const unique = await pushAll(registry, options);
  const bytes = [...unique.values()].reduce((sum, size) => sum + size, 0);
  const curlConfig = join(dir, "curl.txt");
  const urls = [...unique.keys()].map((digest) => {
    const url = `${registry.url}/v2/${REPOSITORY}/blobs/${digest}`;
    return `url = "${url}"\noutput = "${digest.slice(7)}"`;
  });
  await writeFile(curlConfig, `${urls.join("\n")}\n`);

  const best = new Map<string, { seconds: number; disk: number; cpu?: number; peak?: number }>();
  const note = (name: string, result: { seconds: number; disk: number; cpu?: number; peak?: number }) => {
    if (result.seconds < (best.get(name)?.seconds ?? Number.POSITIVE_INFINITY)) best.set(name, result);
  };
  for (let round = 0; round < options.rounds; round += 1) {
    const fresh = async (name: string) => {
      const folder = join(dir, name);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      // Nobody waits for what somebody else has left to be written.
      await measure("sync", []);
      return folder;
    };
    const curl = await fresh("curl");
    const args = ["--silent", "--fail", "--parallel", "--parallel-max", "16", "--config", curlConfig];
    const curled = await measure("curl", args, curl);
    // The syncer hands over nothing that was not hashed, or that a power failure could take back: this is what either
    // costs a plain download.
    const hashed = await measure("sh", ["-c", "ls | xargs -P 2 -n 32 sha256sum"], curl);
    const flushed = await measure("sync", ["--file-system", curl]);
    const disk = await diskUsage(curl);
    const steps = { "curl -Z --parallel-max 16": curled, "  and hashed": hashed, "  and flushed to disk": flushed };
    let milliseconds = 0;
    for (const [name, step] of Object.entries(steps)) {
      milliseconds += step.milliseconds;
      note(name, { seconds: milliseconds / 1000, disk });
    }
    await rm(curl, { recursive: true });

    const skopeo = await fresh("skopeo");
    const copied = await measure("skopeo", [
      ...["sync", "--all", "--src", "docker", "--dest", "dir", "--src-tls-verify=false"],
      ...[`${registry.host}/${REPOSITORY}`, skopeo],
    ]);
    note("skopeo sync --all", { seconds: copied.milliseconds / 1000, disk: await diskUsage(skopeo) });
    await rm(skopeo, { recursive: true });

    const own = await fresh("own");
    const config = join(own, "nearlayer.yaml");
    const source = { url: registry.url, repositories: [REPOSITORY] };
    await writeFile(config, stringify({ catalog: "catalog.db", root: "root", source }));
    const synced = await measureSyncer(config, ["sync"], own);
    const stored = await diskUsage(join(own, "root/store/blobs"));
    note("syncer sync", { seconds: synced.seconds, disk: stored, cpu: synced.cpuSeconds, peak: synced.peakBytes });
    await rm(own, { recursive: true });
  }

  const ours = best.get("syncer sync")?.seconds ?? Number.NaN;
  const rows = [...best].map(([name, result]) => [
    name,
    seconds(result.seconds),
    megabytes(result.disk),
    result.cpu === undefined ? "" : seconds(result.cpu),
    result.peak === undefined ? "" : megabytes(result.peak),
    times(ours / result.seconds),
  ]);
  printTable(
    `Cold: ${options.tags} tags × 2 platforms, ${unique.size} blobs, ${megabytes(bytes)} unique; best of ${options.rounds}`,
    ["", "time", "on disk", "CPU", "peak memory", "syncer's time to its"],
    rows,
  );
}

async function pushAll(registry: Registry, { tags, layerSize }: ColdOptions): Promise<Map<string, number>> {
  const unique = new Map<string, number>();
  const images = randomImages({ seed: "bench cold", count: tags, layers: 2, layerSize, sharedLayers: 1 });
  let tag = 0;
  for await (const image of images) {
    await pushImage(registry.url, REPOSITORY, `v${tag++}`, image);
    for (const { config, layers } of image.manifests) {
      for (const { digest, bytes } of [config, ...layers]) unique.set(digest, bytes.length);
    }
  }
  return unique;
}
