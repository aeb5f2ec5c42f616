import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startDaemon } from "../process/daemon.ts";
import { type RunOptions, type RunResult, run, runOk } from "../process/run.ts";
import { debianBase } from "./base.ts";
import { startForwardProxy } from "./proxy.ts";

/** A network of its own, with booted Debian hosts in it: systemd is their process 1, and ssh the way in. */
export interface Hosts extends AsyncDisposable {
  /** The options of ssh that reach every host. */
  readonly sshArguments: readonly string[];
  /** What a host needs in its environment to reach package registries. */
  readonly proxyEnvironment: Readonly<Record<string, string>>;
  /** The address of a host, by its name. */
  address(name: string): string;
  /** Runs a command of this machine in their network. */
  run(command: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs a shell line on a host, as root. */
  on(name: string, line: string, options?: RunOptions): Promise<RunResult>;
}

const PROXY_PORT = 3128;

/** Boots hosts of these names. `dir` holds their disks, and is a folder that the caller removes. */
export async function startHosts(dir: string, names: readonly string[]): Promise<Hosts> {
  const base = await debianBase();
  const id = `nl${process.pid}`;
  const [net, key] = [`10.${200 + (process.pid % 50)}.7`, join(dir, "ssh-key")];
  const address = (name: string) => `${net}.${10 + names.indexOf(name)}`;
  await using undo = new AsyncDisposableStack();
  await runOk("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);

  await runOk("ip", ["netns", "add", id]);
  undo.defer(async () => void (await run("ip", ["netns", "delete", id])));
  await inside(id, "ip link set lo up && ip link add br0 type bridge && ip link set br0 up");
  await inside(id, `ip address add ${net}.1/24 dev br0`);

  const proxy = undo.use(await startForwardProxy(join(dir, "proxy.socket")));
  const relay = [
    process.execPath,
    resolve(import.meta.dirname, "relay.mjs"),
    `${net}.1`,
    `${PROXY_PORT}`,
    proxy.socket,
  ];
  undo.use(
    await startDaemon({
      name: "relay",
      dir,
      command: ["ip", "netns", "exec", id, ...relay],
      ready: async () => (await inside(id, `ss -Hltn sport = :${PROXY_PORT}`)).stdout.includes(`:${PROXY_PORT}`),
    }),
  );
  const url = `http://${net}.1:${PROXY_PORT}`;
  const hostsFile = ["127.0.0.1 localhost", ...names.map((name) => `${address(name)} ${name}`), ""].join("\n");
  // `ip netns exec` shows its commands this file as /etc/hosts.
  await mkdir(`/etc/netns/${id}`, { recursive: true });
  undo.defer(() => rm(`/etc/netns/${id}`, { recursive: true, force: true }));
  await writeFile(`/etc/netns/${id}/hosts`, hostsFile);
  const apt = `Acquire::http::Proxy "${url}";\nAcquire::Languages "none";\n`;
  const settings = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const sshArguments = ["-i", key, ...settings.flatMap((setting) => ["-o", setting])];
  const command: Hosts["run"] = ([...line], options) => run("ip", ["netns", "exec", id, ...line], options);
  const on: Hosts["on"] = (name, line, options) =>
    command(["ssh", ...sshArguments, `root@${address(name)}`, line], options);

  const booted: AsyncDisposable[] = [];
  undo.defer(async () => void (await Promise.all(booted.map((host) => host[Symbol.asyncDispose]()))));
  const boots = names.map(async (name) => {
    const disk = await mountDisk(join(dir, name), base);
    const authorized = await readFile(`${key}.pub`, "utf8");
    await mkdir(join(disk, "root/.ssh"), { recursive: true, mode: 0o700 });
    await writeFile(join(disk, "root/.ssh/authorized_keys"), authorized, { mode: 0o600 });
    await writeFile(join(disk, "etc/hosts"), hostsFile);
    await writeFile(join(disk, "etc/hostname"), `${name}\n`);
    await writeFile(join(disk, "etc/apt/apt.conf.d/01proxy"), apt);
    // Where a proxy of this machine's network opens TLS, the hosts know whom it signs as.
    await copyFile("/etc/ssl/certs/ca-certificates.crt", join(disk, "etc/ssl/certs/ca-certificates.crt"));
    const ready = async () => (await on(name, "true")).exitCode === 0;
    booted.push(await boot(id, name, join(dir, name), `${address(name)}/24`, ready));
  });
  // All of them, so that one that does not come up leaves none of the others behind.
  for (const outcome of await Promise.allSettled(boots)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  const finished = undo.move();
  return {
    ...{ sshArguments, address, on, run: command },
    proxyEnvironment: {
      http_proxy: url,
      https_proxy: url,
      NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
    },
    [Symbol.asyncDispose]: () => finished.disposeAsync(),
  };
}

/** A command in the network namespace, through a shell. */
const inside = (id: string, line: string) => runOk("ip", ["netns", "exec", id, "sh", "-c", line]);

/** The base with a layer of the host's own over it. Whoever removes the folder unmounts it. */
async function mountDisk(dir: string, base: string): Promise<string> {
  const [upper, work, disk] = [join(dir, "upper"), join(dir, "work"), join(dir, "disk")];
  for (const folder of [upper, work, disk]) await mkdir(folder, { recursive: true });
  await runOk("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${base},upperdir=${upper},workdir=${work}`, disk]);
  return disk;
}

/** Boots one host into a network namespace and a control group of its own, and waits until ssh lets us in. */
async function boot(
  id: string,
  name: string,
  dir: string,
  address: string,
  ready: () => Promise<boolean>,
): Promise<AsyncDisposable> {
  const own = `${id}-${name}`;
  await using undo = new AsyncDisposableStack();
  await runOk("ip", ["netns", "add", own]);
  undo.defer(async () => void (await run("ip", ["netns", "delete", own])));
  const cable = interfaceName(own);
  await inside(id, `ip link add ${cable} type veth peer name host0 netns ${own} && ip link set ${cable} master br0 up`);
  await inside(own, `ip link set lo up && ip address add ${address} dev host0 && ip link set host0 up`);
  const hierarchies = ["systemd", "unified", ""].map((hierarchy) => join("/sys/fs/cgroup", hierarchy));
  const groups = hierarchies
    .filter((folder) => existsSync(join(folder, "cgroup.procs")))
    .map((folder) => join(folder, own));
  undo.defer(async () => {
    for (const group of groups) await run("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
  });
  const enter = groups.map((group) => `mkdir -p ${group} && echo $$ > ${group}/cgroup.procs`);
  const nspawn = [
    "systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe --resolv-conf=off --timezone=off",
    `--machine=${own} --hostname=${name} --directory=${join(dir, "disk")} --network-namespace-path=/run/netns/${own}`,
  ];
  undo.use(
    await startDaemon({
      name,
      dir,
      command: ["sh", "-c", [...enter, `exec ${nspawn.join(" ")}`].join(" && ")],
      ready,
      within: 90_000,
    }),
  );
  const finished = undo.move();
  return { [Symbol.asyncDispose]: () => finished.disposeAsync() };
}

/** Interfaces have at most fifteen letters. */
const interfaceName = (own: string) => `v${own.replaceAll(/[^a-z0-9]/g, "").slice(-13)}`;
