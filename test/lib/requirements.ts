import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";
import { startHosts } from "./hosts/hosts.ts";
import { busybox } from "./images/busybox.ts";
import { startContainerd } from "./peers/containerd.ts";
import { startDockerd } from "./peers/dockerd.ts";
import { postgresFolder } from "./peers/postgres.ts";
import { temporaryFolder } from "./process/folder.ts";

/** What must be there before a peer or a client can be used. */
interface Requirement {
  readonly commands: readonly string[];
  readonly root?: boolean;
  /** A last look at the real thing; its error is the reason why not. */
  readonly trial?: () => Promise<void>;
}

const requirements = {
  registry: { commands: ["docker-registry"] },
  credentials: { commands: ["docker-registry", "htpasswd", "openssl"] },
  rsync: { commands: ["rsync"] },
  ssh: { commands: ["ssh", "ssh-keygen", "sshd"], root: true },
  nginx: { commands: ["nginx"] },
  shellcheck: { commands: ["shellcheck"] },
  skopeo: { commands: ["skopeo"] },
  podman: { commands: ["podman"], root: true },
  buildah: { commands: ["buildah"], root: true },
  containerd: { commands: ["containerd", "ctr"], root: true, trial: tryContainerd },
  docker: { commands: ["dockerd", "docker", "containerd", "runc"], root: true, trial: tryDockerd },
  postgres: { commands: ["psql"], trial: tryPostgres },
  chromium: { commands: ["chromium"] },
  rabbitmq: { commands: ["rabbitmq-server", "epmd"], root: true },
  ansible: { commands: ["ansible-playbook", "ansible-lint", "git"] },
  hosts: {
    commands: [
      "mmdebstrap",
      "systemd-nspawn",
      "ip",
      "ss",
      "ssh",
      "ssh-keygen",
      "ansible-playbook",
      "git",
      "npm",
      "curl",
    ],
    root: true,
    trial: tryHosts,
  },
  promtool: { commands: ["promtool"] },
  busybox: { commands: [], trial: tryBusybox },
} as const satisfies Record<string, Requirement>;

/** Something that a test needs of the machine. */
export type RequirementName = keyof typeof requirements;

const checked = new Map<RequirementName, Promise<string | undefined>>();

/** Why something cannot be used on this machine; undefined when it can. */
export function whyNot(name: RequirementName): Promise<string | undefined> {
  const known = checked.get(name);
  if (known !== undefined) return known;
  const reason = check(requirements[name]);
  checked.set(name, reason);
  return reason;
}

/** Skips the test that is running when the machine lacks something it needs; the reason stands in the closing report. */
export async function skipUnless(context: TestContext, ...names: readonly RequirementName[]): Promise<void> {
  for (const name of names) {
    const reason = await whyNot(name);
    if (reason !== undefined) context.skip(`${name}: ${reason}`);
  }
}

async function check({ commands, root, trial }: Requirement): Promise<string | undefined> {
  for (const command of commands) {
    if (!(await onPath(command))) return `${command} is not installed`;
  }
  if (root && process.getuid?.() !== 0) return "only root can run it";
  try {
    await trial?.();
  } catch (error) {
    return inShort(error instanceof Error ? error.message : String(error));
  }
  return undefined;
}

/** What happened, and the last thing that was said, which in a server's log is why. */
function inShort(message: string): string {
  const [first = "", ...rest] = message.split("\n");
  const last = rest.at(-1)?.trim();
  return last === undefined ? first : `${first}: ${last}`;
}

async function onPath(command: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const found = await access(join(folder, command), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

async function tryDockerd(): Promise<void> {
  await using folder = await temporaryFolder("try");
  await using _ = await startDockerd({ dir: await folder.at("dockerd") });
}

async function tryContainerd(): Promise<void> {
  await using folder = await temporaryFolder("try");
  await using _ = await startContainerd({ dir: await folder.at("containerd") });
}

async function tryHosts(): Promise<void> {
  await using folder = await temporaryFolder("try");
  await using _ = await startHosts(await folder.at("hosts"), ["try"]);
}

async function tryPostgres(): Promise<void> {
  await postgresFolder();
}

async function tryBusybox(): Promise<void> {
  await Promise.all([busybox("amd64"), busybox("arm64")]);
}
