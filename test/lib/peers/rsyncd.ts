import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "@nearlayer/shared/config/load";
import { type RsyncdOptions, rsyncdConfig } from "@nearlayer/syncer/commands/rsyncd-config";
import { type AccessLog, accessLog } from "../process/access-log.ts";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";
import { runOk } from "../process/run.ts";

/** One rsync module: a folder under a name. */
export interface RsyncModule {
  readonly name: string;
  readonly path: string;
  /** True by default. */
  readonly readOnly?: boolean;
  /** Not in listings and not readable: for uploads alone. */
  readonly writeOnly?: boolean;
  /** More lines of rsyncd.conf for this module. */
  readonly settings?: readonly string[];
}

/** A file that crossed. */
export interface RsyncTransfer {
  /** `send` is to a client, `recv` from one, `del.` a deletion by one. */
  readonly operation: string;
  readonly module: string;
  /** Length of the file. */
  readonly size: number;
  /** Bytes that crossed for it. */
  readonly bytes: number;
  /** Path in the module. */
  readonly path: string;
}

/** A real rsync daemon. */
export interface RsyncDaemon extends Daemon {
  /** `rsync://127.0.0.1:PORT/`; a module's name and a slash follow. */
  readonly url: string;
  readonly port: number;
  readonly transfers: AccessLog<RsyncTransfer>;
}

export interface RsyncDaemonOptions {
  readonly dir: string;
  readonly port?: number;
  readonly modules: readonly RsyncModule[];
}

export async function startRsyncDaemon({ dir, modules, ...rest }: RsyncDaemonOptions): Promise<RsyncDaemon> {
  const port = rest.port ?? (await freePort());
  return launch(dir, configOf(modules), port);
}

export interface MasterOptions {
  readonly dir: string;
  /** The configuration of a syncer. */
  readonly config: string;
  readonly port?: number;
  /** More options of `syncer rsyncd-config`. */
  readonly options?: RsyncdOptions;
}

/** A master: a daemon with the configuration that `syncer rsyncd-config` writes. */
export async function startMaster({ dir, config, options, ...rest }: MasterOptions): Promise<RsyncDaemon> {
  const port = rest.port ?? (await freePort());
  const here = { address: "127.0.0.1", port: String(port), lockFolder: dir };
  const { username: user, uid } = userInfo();
  const group = (await runOk("id", ["-gn"])).stdout.trim();
  const unprivileged = uid === 0 ? {} : { chroot: false, user, group };
  const { config: text } = await rsyncdConfig(async () => loadConfig(config), { ...here, ...unprivileged, ...options });
  return launch(dir, text, port);
}

async function launch(dir: string, text: string, port: number): Promise<RsyncDaemon> {
  const file = join(dir, "transfers.log");
  const config = join(dir, "rsyncd.conf");
  // What stands before the first module is for all of them.
  const logging = [`log file = ${file}`, "transfer logging = yes", "log format = transfer %o %l %b %m %f"];
  await writeFile(config, `${[...logging, text].join("\n")}\n`);
  const daemon = await startDaemon({
    name: "rsyncd",
    dir,
    command: ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", `--port=${port}`, `--config=${config}`],
    ready: () => greets(port),
  });
  // A file's line is written before the client can have ended well; the pause is for one that did not.
  const transfers = accessLog({ file, parse: parseLine, settle: () => sleep(50) });
  return { ...daemon, url: `rsync://127.0.0.1:${port}/`, port, transfers };
}

function configOf(modules: readonly RsyncModule[]): string {
  const owner = process.getuid?.() === 0 ? ["uid = root", "gid = root"] : [];
  const general = ["use chroot = no", ...owner, "max verbosity = 2", "reverse lookup = no"];
  const sections = modules.flatMap((module) => [
    `[${module.name}]`,
    `path = ${module.path}`,
    `read only = ${module.readOnly === false || module.writeOnly === true ? "no" : "yes"}`,
    ...(module.writeOnly === true ? ["write only = yes", "list = no"] : []),
    ...(module.settings ?? []),
  ]);
  return `${[...general, ...sections].join("\n")}\n`;
}

/** `2026/11/22 02:38:14 [5553] transfer send 10 52 containers a/b c` */
const transferLine = /^\S+ \S+ \[\d+\] transfer (\S+) (\d+) (\d+) (\S+) (.+)$/;

function parseLine(line: string): RsyncTransfer | undefined {
  const [found, operation = "", size, bytes, module = "", path = ""] = transferLine.exec(line) ?? [];
  if (found === undefined) return undefined;
  return { operation, module, size: Number(size), bytes: Number(bytes), path };
}

/** Whether an rsync daemon says hello there. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("data", (data) => {
      resolve(data.toString("latin1").startsWith("@RSYNCD:"));
      socket.destroy();
    });
    socket.on("error", () => resolve(false)).on("close", () => resolve(false));
  });
}
