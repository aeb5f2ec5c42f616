import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import type { RunResult } from "../process/run.ts";
import type { Hosts } from "./hosts.ts";

export const ansibleFolder = resolve(import.meta.dirname, "../../../ansible");

/** How a playbook ended: for each host, how many tasks changed something, and failed. */
export interface PlaybookRun extends RunResult {
  readonly recap: Readonly<Record<string, { readonly changed: number; readonly failed: number }>>;
  /** `host: task` of everything that changed something. */
  readonly changes: readonly string[];
}

/** Writes an inventory: which hosts are in which group, and the variables of all. */
export async function writeInventory(
  dir: string,
  hosts: Hosts,
  groups: Readonly<Record<string, readonly string[]>>,
  vars: Readonly<Record<string, unknown>>,
): Promise<string> {
  const names = [...new Set(Object.values(groups).flat())];
  const entries = names.map((name) => [name, { ansible_host: hosts.address(name) }]);
  const children = Object.entries(groups).map(([group, members]) => [
    group,
    { hosts: Object.fromEntries(members.map((name) => [name, {}])) },
  ]);
  const connection = {
    ansible_user: "root",
    ansible_become: false,
    ansible_ssh_common_args: `${hosts.sshArguments.join(" ")} -o ControlMaster=auto -o ControlPersist=60s`,
    nearlayer_proxy_environment: hosts.proxyEnvironment,
  };
  const file = join(dir, "inventory.yml");
  const all = {
    vars: { ...connection, ...vars },
    hosts: Object.fromEntries(entries),
    children: Object.fromEntries(children),
  };
  await writeFile(file, stringify({ all }));
  return file;
}

/** Runs a playbook of ours in the network of the hosts. */
export async function playbook(hosts: Hosts, inventory: string, ...args: readonly string[]): Promise<PlaybookRun> {
  const env = {
    ANSIBLE_NOCOLOR: "1",
    ANSIBLE_CONFIG: join(ansibleFolder, "ansible.cfg"),
    ANSIBLE_DEPRECATION_WARNINGS: "0",
  };
  const command = ["ansible-playbook", "-i", inventory, ...args];
  const result = await hosts.run(command, { cwd: ansibleFolder, env, timeout: 1_500_000 });
  const recap = [...result.stdout.matchAll(/^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)/gm)];
  let task = "";
  const changes: string[] = [];
  for (const line of result.stdout.split("\n")) {
    task = /^(?:TASK|RUNNING HANDLER) \[(.*)\]/.exec(line)?.[1] ?? task;
    const host = /^changed: \[([^\]]+)\]/.exec(line)?.[1];
    if (host !== undefined) changes.push(`${host}: ${task}`);
  }
  return {
    ...result,
    changes,
    recap: Object.fromEntries(
      recap.map(([, host = "", changed, unreachable, failed]) => [
        host,
        { changed: Number(changed), failed: Number(unreachable) + Number(failed) },
      ]),
    ),
  };
}
