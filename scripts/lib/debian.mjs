// The Debian side of the set-up: real servers and clients that the demo and the tests work with.
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runLogged } from "./run.mjs";
import { step, yellow } from "./steps.mjs";

const policyFile = "/usr/sbin/policy-rc.d";

function onPath(command) {
  return process.env.PATH.split(":").some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The packages that are not there: neither known to dpkg nor, from wherever, their command on PATH. */
function missing(packages) {
  const absent = packages.filter(({ command }) => command === undefined || !onPath(command));
  if (absent.length === 0) return [];
  // dpkg-query exits with 1 when one of the names is unknown to it; the others are printed all the same.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's.
  const query = ["-W", "-f", "${Package} ${db:Status-Status}\n", ...absent.map(({ name }) => name)];
  const known = (spawnSync("dpkg-query", query, { encoding: "utf8" }).stdout ?? "").split("\n");
  return absent.filter(({ name }) => !known.includes(`${name} installed`));
}

/** Those of the packages that this distribution has. */
function installable(packages) {
  const listed = spawnSync("apt-cache", ["madison", ...packages.map(({ name }) => name)], { encoding: "utf8" });
  const found = new Set((listed.stdout ?? "").split("\n").map((line) => line.split("|")[0].trim()));
  return packages.filter(({ name }) => found.has(name));
}

/** Runs an action while Debian's packages may not start the services they bring. */
async function withoutServiceStarts(action) {
  try {
    writeFileSync(policyFile, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return action(); // The machine has a policy of its own.
  }
  const remove = () => rmSync(policyFile, { force: true });
  const interrupted = () => process.exit(130);
  process.on("exit", remove).on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    return await action();
  } finally {
    remove();
    process.off("exit", remove).off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

/** Installs those Debian packages of the list that are missing; tells what cannot be, and leaves it at that. */
export async function installDebianPackages(root) {
  const wanted = missing(JSON.parse(readFileSync(join(root, "scripts", "debian-packages.json"), "utf8")));
  if (wanted.length === 0) return;
  const names = (packages) => packages.map(({ name }) => name);
  if (!onPath("apt-get")) {
    warn(`No apt-get here. Missing, and what needs them will be skipped: ${names(wanted).join(", ")}`);
    return;
  }
  if (process.getuid() !== 0) {
    warn("Some Debian packages are missing; what needs them will be skipped. To install them:");
    warn(`  sudo apt-get install --no-install-recommends ${names(wanted).join(" ")}`);
    return;
  }
  const log = join(root, ".cache", "setup", "apt.log");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"];
  const aptGet = (...args) => runLogged("apt-get", [...options, ...args], { log, env });
  // A third-party source that is down must not stop what Debian itself can give.
  await step("Refreshing Debian's package lists", () => aptGet("update").catch((error) => warn(error.message)));
  const offered = installable(wanted);
  if (offered.length > 0) {
    await step(`Installing ${names(offered).join(", ")}`, () =>
      withoutServiceStarts(() => aptGet("install", "--no-install-recommends", ...names(offered))),
    );
  }
  const still = missing(wanted);
  if (still.length > 0) warn(`Not to be had here, so what needs it will be skipped: ${names(still).join(", ")}`);
}

function warn(text) {
  process.stdout.write(`  ${yellow("!")} ${text}\n`);
}
