// Makes this checkout ready and runs a TypeScript program of it: node scripts/setup.mjs PROGRAM.ts [ARGUMENT]…
//
// Needs npm and any Node from 18 on. What is missing is installed: npm packages from the lockfile, among them the
// Node 24 that runs the program, and, as root on Debian, the real servers and clients of the demo and the tests.
// When all is there, it costs a fraction of a second and says nothing.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { installDebianPackages } from "./lib/debian.mjs";
import { red } from "./lib/steps.mjs";
import { installWorkspace } from "./lib/workspace.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [program, ...args] = process.argv.slice(2);

// Debian keeps servers in sbin, which is not on everybody's PATH.
process.env.PATH = [join(root, "node_modules", ".bin"), process.env.PATH, "/usr/local/sbin:/usr/sbin:/sbin"].join(":");

/** The workspace's own Node. What stands in .bin is a shell script, which would keep signals to itself. */
function workspaceNode() {
  const node = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");
  if (!existsSync(node))
    throw new Error(`There is no Node 24 for ${process.platform} on ${process.arch} in the lockfile.`);
  return node;
}

// The tests start the two programs hundreds of times: compiled once, they start in half the time.
process.env.NODE_COMPILE_CACHE ??= join(root, ".cache", "compile");

/** Runs the program in our place: same terminal, same signals, same exit code. */
function become(file, fileArgs) {
  const child = spawn(file, fileArgs, { cwd: root, stdio: "inherit" });
  child.on("error", (error) => fail(error.message));
  // On a terminal Ctrl-C reaches the child without us.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function fail(message) {
  process.stderr.write(`${red("✖")} ${message}\n`);
  process.exit(1);
}

if (program === undefined) fail("Usage: node scripts/setup.mjs PROGRAM.ts [ARGUMENT]…");
try {
  await installWorkspace(root);
  await installDebianPackages(root);
  become(workspaceNode(), [resolve(root, program), ...args]);
} catch (error) {
  fail(`The set-up did not work out.\n\n  ${error.message}\n\n  It is safe to run it again.`);
}
