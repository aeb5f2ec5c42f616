import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { busybox } from "../images/busybox.ts";
import { type RunOptions, type RunResult, run, runOk } from "../process/run.ts";

/** A shell that `nearlayer-mirror` runs in, and the only commands that it finds. */
export interface Shell {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly path: string;
}

/** A run that is under way. */
export interface Started {
  /** The shell's process number, and that of its group. */
  readonly pid: number;
  readonly ended: Promise<{ readonly exitCode: number | undefined; readonly stderr: string }>;
}

/** The admin's side of a mirror: a configuration, a folder, and the script between the master and it. */
export interface MirrorScript {
  readonly config: string;
  readonly target: string;
  /** Writes the configuration anew; undefined takes a key away. */
  configure(settings: Readonly<Record<string, string | undefined>>): Promise<void>;
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts it in a process group of its own, so that all of it can be killed at once. */
  start(args: readonly string[]): Started;
}

const source = resolve(import.meta.dirname, "../../../packages/mirror");

/** Installs `nearlayer-mirror` as an admin does, and returns the path of the one file. */
export async function installMirrorScript(prefix: string): Promise<string> {
  const { stdout } = await runOk("sh", [join(source, "install.sh"), prefix]);
  return stdout.trim();
}

/** Debian's /bin/sh with all that is installed, and Debian's busybox with its own commands, rsync and openssl alone. */
export async function shells(dir: string): Promise<Shell[]> {
  const bin = join(dir, "busybox");
  await mkdir(bin, { recursive: true });
  const program = join(bin, "busybox");
  await writeFile(program, await busybox(process.arch === "arm64" ? "arm64" : "amd64"));
  await chmod(program, 0o755);
  const { stdout } = await runOk(program, ["--list"]);
  for (const name of stdout.split("\n")) await symlink(program, join(bin, name)).catch(() => {});
  for (const name of ["rsync", "openssl"]) await symlink(`/usr/bin/${name}`, join(bin, name));
  return [
    { name: "dash", command: ["/bin/dash"], path: process.env.PATH ?? "" },
    { name: "busybox", command: [program, "sh"], path: bin },
  ];
}

export interface MirrorScriptOptions {
  readonly dir: string;
  readonly script: string;
  readonly shell: Shell;
  readonly settings: Readonly<Record<string, string | undefined>>;
}

export async function createMirrorScript({
  dir,
  script,
  shell,
  ...options
}: MirrorScriptOptions): Promise<MirrorScript> {
  const config = join(dir, "nearlayer-mirror.conf");
  const target = options.settings.target ?? join(dir, "tree with a space");
  await mkdir(target, { recursive: true });
  let all: Readonly<Record<string, string | undefined>> = { target, ...options.settings };
  const configure: MirrorScript["configure"] = async (settings) => {
    all = { ...all, ...settings };
    const lines = Object.entries(all).map(([key, value]) => (value === undefined ? "" : `${key} = ${value}\n`));
    await writeFile(config, lines.join(""));
  };
  await configure({});
  const [file, ...first] = shell.command;
  const commandLine = (args: readonly string[]) => [...first, script, "--config", config, ...args];
  const env = { PATH: shell.path };
  return {
    ...{ config, target, configure },
    run: (args, runOptions) => run(file, commandLine(args), { ...runOptions, env: { ...env, ...runOptions?.env } }),
    start(args) {
      const child = execa(file, commandLine(args), { env, detached: true, reject: false, stdin: "ignore" });
      const ended = child.then(({ exitCode, stderr }) => ({ exitCode, stderr }));
      return { pid: child.pid as number, ended };
    },
  };
}
