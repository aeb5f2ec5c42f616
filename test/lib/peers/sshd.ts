import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";
import { runOk } from "../process/run.ts";

/** A real sshd that lets in whoever has its key, as the user who runs the test. */
export interface Sshd extends Daemon {
  readonly port: number;
  /** Who is let in. */
  readonly user: string;
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

export async function startSshd({ dir }: { readonly dir: string }): Promise<Sshd> {
  const port = await freePort();
  const [hostKey, identityFile] = [join(dir, "host_key"), join(dir, "identity")];
  for (const file of [hostKey, identityFile]) await runOk("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  const [authorized, knownHostsFile, config] = [
    join(dir, "authorized_keys"),
    join(dir, "known_hosts"),
    join(dir, "sshd"),
  ];
  await writeFile(authorized, await readFile(`${identityFile}.pub`));
  await writeFile(knownHostsFile, `[127.0.0.1]:${port} ${await readFile(`${hostKey}.pub`, "utf8")}`);
  await writeFile(
    config,
    [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${authorized}`,
      `PidFile ${join(dir, "pid")}`,
      "UsePAM no",
      // The folder of a test is in /tmp, which everybody may write to.
      "StrictModes no",
      "PasswordAuthentication no",
      "PermitRootLogin prohibit-password",
      "",
    ].join("\n"),
  );
  // Where sshd gives up its rights; Debian's service makes it.
  await mkdir("/run/sshd", { recursive: true });
  const command = ["/usr/sbin/sshd", "-D", "-e", "-f", config] as const;
  const daemon = await startDaemon({ name: "sshd", dir, command, ready: () => greets(port) });
  return { ...daemon, port, user: userInfo().username, identityFile, knownHostsFile };
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (data) => {
      resolve(data.toString("latin1").startsWith("SSH-"));
      socket.destroy();
    });
    socket.on("error", () => resolve(false)).on("close", () => resolve(false));
  });
}
