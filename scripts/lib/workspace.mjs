// The npm side of the set-up: the workspace's packages, by the pnpm version that package.json names.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runLogged } from "./run.mjs";
import { step } from "./steps.mjs";

/** Folders of the workspace that have a package.json, the root first. */
function packageFolders(root) {
  const packages = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
  return [root, ...packages.filter((folder) => existsSync(join(folder, "package.json")))];
}

/** One value that changes when anything changes that decides what is installed. */
function fingerprint(root) {
  const hash = createHash("sha256").update(process.platform + process.arch);
  const files = packageFolders(root).map((folder) => join(folder, "package.json"));
  for (const file of [...files, join(root, "pnpm-workspace.yaml"), join(root, "pnpm-lock.yaml")]) {
    hash.update(readFileSync(file));
  }
  return hash.digest("hex");
}

function upToDate(root, stamp, wanted) {
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) return false;
  return packageFolders(root).every((folder) => existsSync(join(folder, "node_modules")));
}

/** The command that runs pnpm: the one on PATH if it is the right version, else npm fetches it. */
function pnpmCommand(root, env) {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager.split(/[@+]/)[1];
  const found = spawnSync("pnpm", ["--version"], { cwd: tmpdir(), env, encoding: "utf8" });
  return found.stdout?.trim() === wanted ? ["pnpm"] : ["npm", "exec", "--yes", "--", `pnpm@${wanted}`];
}

/** Installs the workspace from its lockfile, unless that was done since the lockfile last changed. */
export async function installWorkspace(root) {
  const stamp = join(root, "node_modules", ".nearlayer-installed");
  const wanted = fingerprint(root);
  if (upToDate(root, stamp, wanted)) return;
  rmSync(stamp, { force: true });
  // `npm run` tells its children where they stand; an `npm exec` in another folder must not believe it.
  const { npm_config_local_prefix: _, ...env } = { ...process.env, CI: "true" };
  await step("Installing the npm packages from the lockfile", async () => {
    const [file, ...args] = pnpmCommand(root, env);
    const log = join(root, ".cache", "setup", "pnpm.log");
    // Not in the workspace's folder: npm would first read a tree there that is not its own.
    await runLogged(file, [...args, "--dir", root, "install", "--frozen-lockfile"], { log, cwd: tmpdir(), env });
    writeFileSync(stamp, wanted);
  });
}
