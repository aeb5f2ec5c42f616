import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import type { Registry } from "../../lib/peers/registry.ts";
import { measureSyncer } from "./measure.ts";
import { megabytes, printTable, seconds } from "./table.ts";

export interface UnchangedOptions {
  readonly repositories: number;
  readonly tagsOfEach: number;
}

/** A check of many tags of which none has changed: what it asks for, counted by the registry, and what it takes. */
export async function benchUnchanged(registry: Registry, dir: string, options: UnchangedOptions): Promise<void> {
  const { repositories, tagsOfEach } = options;
  const tags = repositories * tagsOfEach;
  let index = 0;
  for await (const image of randomImages({ seed: "bench unchanged", count: tags, layers: 1, layerSize: 1000 })) {
    await pushImage(registry.url, `unchanged/r${index % repositories}`, `v${index}`, image);
    index += 1;
  }
  await mkdir(dir, { recursive: true });
  const config = join(dir, "nearlayer.yaml");
  const source = { url: registry.url, repositories: ["unchanged/*"] };
  await writeFile(config, stringify({ catalog: "catalog.db", root: "root", source }));
  await measureSyncer(config, ["sync"], dir);

  const mark = await registry.log.mark();
  const checked = await measureSyncer(config, ["sync"], dir);
  const requests = await registry.log.entries(mark);
  const count = (test: (uri: string) => boolean) => requests.filter(({ uri }) => test(uri)).length;
  const byTag = count((uri) => uri.includes("/manifests/"));
  const listings = count((uri) => uri.includes("/tags/list") || uri.includes("/_catalog"));
  const unchanged = requests.filter(({ status }) => status === 304).length;
  printTable(
    `Unchanged: ${tags} tags in ${repositories} repositories`,
    ["", "requests", "for tags", "listings", "others", "answered 304", "time", "per tag", "CPU", "peak memory"],
    [
      [
        "syncer sync",
        ...[requests.length, byTag, listings, requests.length - byTag - listings, unchanged].map(String),
        seconds(checked.seconds),
        `${((checked.seconds / tags) * 1000).toFixed(2)} ms`,
        seconds(checked.cpuSeconds),
        megabytes(checked.peakBytes),
      ],
    ],
  );
}
