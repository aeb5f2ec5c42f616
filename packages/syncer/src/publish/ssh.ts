import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";

/** Seconds until a host that does not answer is given up. */
const CONNECT_TIMEOUT_S = 20;

/**
 * The command that reaches ssh targets, as rsync takes it: cut at spaces outside of quotes, and run without a shell. It
 * never asks for anything: nobody is there to answer.
 */
export function sshCommand({ port, identityFile, knownHostsFile }: Config["publish"]["ssh"]): string {
  return [
    "ssh",
    "-oBatchMode=yes",
    `-oConnectTimeout=${CONNECT_TIMEOUT_S}`,
    ...(port === undefined ? [] : [`-oPort=${port}`]),
    ...(identityFile === undefined ? [] : ["-oIdentitiesOnly=yes", "-i", quoted(identityFile)]),
    ...(knownHostsFile === undefined ? [] : [quoted(`-oUserKnownHostsFile=${knownHostsFile}`)]),
  ].join(" ");
}

function quoted(word: string): string {
  if (!/['%\n]/.test(word)) return `'${word}'`;
  throw new NearlayerError("CONFIG_INVALID", `publish.ssh: ssh cannot be given ${JSON.stringify(word)}`, {
    hint: "move the file to a path without quotes and percent signs",
  });
}
