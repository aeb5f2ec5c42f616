import { join } from "node:path";
import { writeImageFolder } from "../images/dir.ts";
import { sampleImage } from "../images/samples.ts";
import { temporaryFolder } from "../process/folder.ts";
import { expectOk, type RunResult } from "../process/run.ts";
import { until } from "../process/until.ts";
import { type Hosts, startHosts } from "./hosts.ts";
import { type PlaybookRun, playbook, writeInventory } from "./playbook.ts";

/** Hosts that site.yml was run on once. */
export interface DeployedSite extends AsyncDisposable {
  readonly hosts: Hosts;
  /** How the first run of site.yml went. */
  readonly first: PlaybookRun;
  playbook(...args: readonly string[]): Promise<PlaybookRun>;
  /** Runs shell lines on a host, which have to succeed, and returns what they print. */
  shell(host: string, ...lines: readonly string[]): Promise<string>;
  /** Pushes an image as fedora/app:TAG over TLS, as a release engineer does. */
  push(tag: string): Promise<void>;
  pull(tag: string): Promise<RunResult>;
  /** Pulls until it works. */
  pulled(tag: string): Promise<void>;
}

export interface DeployedSiteOptions {
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly vars: Readonly<Record<string, unknown>>;
  /** `HOST:PORT` of the stable registry, and USER:PASSWORD where it asks for one. */
  readonly registry: string;
  readonly credentials?: string;
  /** `HOST:PORT` of the mirror list. */
  readonly front: string;
}

export async function deploySite({
  groups,
  vars,
  registry,
  credentials,
  front,
}: DeployedSiteOptions): Promise<DeployedSite> {
  await using undo = new AsyncDisposableStack();
  const folder = undo.use(await temporaryFolder("site"));
  const names = [...new Set(Object.values(groups).flat())];
  const hosts = undo.use(await startHosts(await folder.at("hosts"), names));
  const inventory = await writeInventory(folder.path, hosts, groups, vars);
  const first = await playbook(hosts, inventory, "site.yml");
  const skopeo = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
  const pull = (tag: string) =>
    hosts.run([...skopeo, `docker://${front}/fedora/app:${tag}`, `dir:${join(folder.path, `pulled-${tag}`)}`]);
  const finished = undo.move();
  return {
    ...{ hosts, first, pull },
    playbook: (...args) => playbook(hosts, inventory, ...args),
    shell: async (host, ...lines) => expectOk(await hosts.on(host, lines.join("\n"), { timeout: 120_000 })).stdout,
    async push(tag) {
      const from = join(folder.path, `image-${tag}`);
      await writeImageFolder(from, await sampleImage({ name: `app ${tag}`, kind: "docker-manifest" }));
      const login = credentials === undefined ? [] : [`--dest-creds=${credentials}`];
      expectOk(await hosts.run([...skopeo, ...login, `dir:${from}`, `docker://${registry}/fedora/app:${tag}`]));
    },
    async pulled(tag) {
      await until(async () => (await pull(tag)).exitCode === 0, {
        what: `a pull of ${tag}`,
        within: 60_000,
        every: 500,
      });
    },
    [Symbol.asyncDispose]: () => finished.disposeAsync(),
  };
}
