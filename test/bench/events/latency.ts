import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type EventSite, secretFile, startEventSite } from "../../lib/event-site.ts";
import type { BuiltImage } from "../../lib/images/image.ts";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import type { Listener } from "../../lib/listener.ts";
import { until } from "../../lib/process/until.ts";
import { printTable } from "../sync/table.ts";

/** When each stage of a push was over, in epoch milliseconds. */
interface Stages {
  readonly pushed: number;
  readonly journalled: number;
  readonly synced: number;
  readonly published: number;
  readonly pullable: number;
  readonly fresh: number;
}

/** From the end of a push to who pulls, by a registry's own notifications and a mirror that publishing fills. */
export async function benchLatency(dir: string, { pushes, known }: { pushes: number; known: number }) {
  const secret = await secretFile(dir, "bench");
  await using site = await startEventSite({
    dir,
    registryConfig: (url) => `notifications:
  endpoints:
    - {name: nearlayer, url: "${url}/hooks/registry", headers: {Authorization: ["Bearer bench"]}, timeout: 2s, threshold: 3, backoff: 1s}
`,
    events: { registry: { secretFile: secret } },
  });
  let index = 0;
  // What is there already, so that a push is not the only thing in the catalog.
  for await (const image of randomImages({ seed: "known", count: known, layers: 1, layerSize: 1000 })) {
    await pushImage(site.network.registry.url, `known/r${index % 20}`, String(index++), image);
  }
  await using listener = await site.listen();
  await until(async () => (await listener.metrics())['nearlayer_audits_total{result="ok"}'] === 1, {
    what: "the first audit",
    within: 300_000,
  });
  await using _mirrorlist = await site.network.serve();
  const stages: Stages[] = [];
  for await (const image of randomImages({ seed: "push", count: pushes, layers: 3, layerSize: 200_000 })) {
    stages.push(await measurePush(site, listener, `bench/app${stages.length % 10}`, `v${stages.length}`, image));
  }
  const row = (name: string, of: (one: Stages) => number) => {
    const sorted = stages.map(of).sort((a, b) => a - b);
    const at = (share: number) =>
      `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)} ms`;
    return [name, at(0.5), at(0.95), at(1)];
  };
  printTable(
    `From a push to a pull: ${pushes} pushes of 2 platforms, 3 layers of 200 kB each, beside ${known} known tags`,
    ["stage", "median", "p95", "longest"],
    [
      row("push → journal", ({ pushed, journalled }) => journalled - pushed),
      row("journal → synced", ({ journalled, synced }) => synced - journalled),
      row("synced → published", ({ synced, published }) => published - synced),
      row("push → pullable", ({ pushed, pullable }) => pullable - pushed),
      row("push → mirror fresh", ({ pushed, fresh }) => fresh - pushed),
    ],
  );
}

async function measurePush(
  site: EventSite,
  listener: Listener,
  repository: string,
  tag: string,
  image: BuiltImage,
): Promise<Stages> {
  const seen = (await listener.log()).length;
  await pushImage(site.network.registry.url, repository, tag, image);
  const pushed = Date.now();
  await until(async () => (await site.statusOf(repository, tag)) === 200, {
    what: "the image",
    within: 60_000,
    every: 10,
  });
  const pullable = Date.now();
  const timeOf = (wanted: string) =>
    until(
      async () => (await listener.log()).slice(seen).find(({ msg }) => msg === wanted)?.time as number | undefined,
      {
        what: wanted,
      },
    );
  const [synced, published] = [await timeOf("synced"), await timeOf("published")];
  await until(() => mirrorIsFresh(site), { what: "the mirror to be fresh", within: 60_000, every: 10 });
  return { pushed, journalled: receivedAt(site, repository, tag), synced, published, pullable, fresh: Date.now() };
}

/** Does the mirror list count on the mirror for the newest generation that the tree has? */
async function mirrorIsFresh(site: EventSite): Promise<boolean> {
  const answer = await fetch(`${site.network.mirrorlistUrl}/mirrors.json`);
  const { mirrors } = (await answer.json()) as {
    mirrors: { platforms: { platform: string; generation?: number; state: string }[] }[];
  };
  const platforms = mirrors.flatMap((mirror) => mirror.platforms);
  for (const { platform, generation, state } of platforms) {
    const note = await readFile(join(site.network.root, "pub", "zz-state", platform, "GENERATION"), "utf8");
    const newest = Number(/^number: (\d+)$/m.exec(note)?.[1]);
    if (state !== "fresh" || (generation !== undefined && generation < newest)) return false;
  }
  return platforms.length > 0;
}

function receivedAt(site: EventSite, repository: string, tag: string): number {
  using database = new DatabaseSync(join(site.network.root, "..", "catalog.db"), { readOnly: true });
  const row = database
    .prepare("select received_at as at from event where repository = ? and tag = ? order by id")
    .get(repository, tag);
  return Date.parse(String(row?.at));
}
