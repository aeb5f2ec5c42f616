import { NearlayerError } from "@nearlayer/shared/errors";
import { execa } from "execa";
import { z } from "zod";
import type { Credentials } from "./credentials.ts";

/** How long a credential helper may take, in milliseconds: it may ask a key ring, or a cloud. */
const HELPER_TIMEOUT_MS = 30_000;
/** What the helpers say when they know nothing of a host (docker-credential-helpers, credentials/error.go). */
const NOT_FOUND = "credentials not found in native keychain";

const answer = z.object({ Username: z.string(), Secret: z.string().min(1) });

/**
 * Asks `docker-credential-<helper> get` for the credentials of a server, as docker/docker-credential-helpers has it: the
 * server on stdin, JSON on stdout. What it says is never repeated, since it can hold a secret.
 */
export async function askHelper(helper: string, server: string): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(helper)) {
    throw new NearlayerError("CONFIG_INVALID", `not the name of a credential helper: ${JSON.stringify(helper)}`);
  }
  const command = `docker-credential-${helper}`;
  const result = await execa(command, ["get"], {
    input: server,
    timeout: HELPER_TIMEOUT_MS,
    maxBuffer: 1024 * 1024,
    reject: false,
  });
  if (result.exitCode !== 0) {
    if (`${result.stdout}`.includes(NOT_FOUND)) return undefined;
    const reason = result.timedOut ? "took too long" : (result.code ?? `exit code ${result.exitCode}`);
    throw new NearlayerError("CONFIG_INVALID", `${command} gives no credentials for ${server}: ${reason}`, {
      hint: `try it by hand: echo ${server} | ${command} get`,
    });
  }
  const parsed = answer.safeParse(parseJson(result.stdout));
  if (!parsed.success) throw new NearlayerError("CONFIG_INVALID", `${command}: what it printed are no credentials`);
  const { Username, Secret } = parsed.data;
  // docker/cli, cli/config/credentials/native_store.go
  if (Username === "<token>") return { kind: "identity", token: Secret };
  return { kind: "password", username: Username, password: Secret };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
