import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PushedImage, TestImage } from "@nearlayer/mirrorlist/testing/tree";
import { createTree } from "@nearlayer/mirrorlist/testing/tree";
import { stringify } from "yaml";
import { startMirrorlist } from "./nearlayer.ts";
import type { Daemon } from "./process/daemon.ts";
import { freePort } from "./process/ports.ts";

type Settings = Readonly<Record<string, unknown>>;

/** A line of the mirror list's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** The real `mirrorlist serve` over a small tree, without a registry and a syncer. */
export interface Serving extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly root: string;
  push(image: TestImage): Promise<PushedImage>;
  /** Writes another configuration: the keys of `mirrorlist`, and others beside. It is not read yet. */
  configure(mirrorlist: Settings, others?: Settings): Promise<void>;
  /** Writes what is no configuration. */
  write(text: string): Promise<void>;
  log(): Promise<LogLine[]>;
  /** Samples of `/metrics` by their name and labels. */
  metrics(): Promise<Record<string, number>>;
}

export async function startServing(dir: string, mirrorlist: Settings = {}, others: Settings = {}): Promise<Serving> {
  await using starting = new AsyncDisposableStack();
  const tree = starting.use(await createTree());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(dir, "nearlayer.yaml");
  const configure: Serving["configure"] = async (more, besides = {}) => {
    const settings = { catalog: tree.location, root: tree.root, mirrorlist: { listen: `127.0.0.1:${port}`, ...more } };
    await writeFile(config, stringify({ ...settings, ...besides }));
  };
  await configure(mirrorlist, others);
  const daemon = starting.use(await startMirrorlist(config, url, dir));
  const stack = starting.move();
  return {
    ...{ daemon, port, url, root: tree.root, push: tree.push, configure },
    write: (text) => writeFile(config, text),
    async log() {
      const lines = (await readFile(daemon.logFile, "utf8")).split("\n");
      return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
    },
    async metrics() {
      const text = await (await fetch(`${url}/metrics`)).text();
      const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      return Object.fromEntries(
        samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
