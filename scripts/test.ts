// Everything that is checked before a change lands: npm test [-- SECTION…]
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dim, duration, green, heading, red, yellow } from "./lib/steps.mjs";
import { reportVariable, type SkippedTest, type TestReport } from "./lib/test-report.ts";

/** A heading, and the JavaScript program that checks what it says. */
type Section = readonly [title: string, program: string, ...args: string[]];

/** How a section went. */
interface Outcome extends TestReport {
  readonly milliseconds: number;
}

const reporter = join(import.meta.dirname, "lib", "test-report.ts");
/** The tools' own programs: the scripts in .bin stand between them and a signal. */
const tool = (path: string) => join(import.meta.dirname, "..", "node_modules", path);
const vitest = [tool("vitest/vitest.mjs"), "run", "--reporter=default", `--reporter=${reporter}`] as const;

/** In the order of how soon they tell that something is wrong. The first two count as one test each. */
const sections: Readonly<Record<string, Section>> = {
  lint: ["Lint and format (Biome)", tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."],
  types: ["Types (tsc)", tool("typescript/bin/tsc"), "--noEmit"],
  unit: ["Unit tests", ...vitest, "--project", "unit"],
  e2e: ["End to end, with real servers and clients", ...vitest, "--project", "e2e"],
  soak: ["Soak: the same, for much longer", ...vitest, "--project", "soak"],
};

/** Sections that are run when they are named, and not otherwise. */
const onDemand: readonly string[] = ["soak"];

async function runSection([title, file, ...args]: Section, folder: string): Promise<Outcome> {
  heading(title);
  const started = Date.now();
  const reportFile = join(folder, "report.json");
  await rm(reportFile, { force: true });
  const exitCode = await execute([file, ...args], { [reportVariable]: reportFile });
  const counted = await readReport(reportFile);
  const milliseconds = Date.now() - started;
  const report = counted ?? { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: [] };
  // A runner that fails without a failed test has failed all the same.
  const failed = exitCode !== 0 && report.failed === 0 ? 1 : report.failed;
  const mark = failed === 0 ? green("✔") : red("✖");
  process.stdout.write(`${mark} ${title} ${dim(duration(milliseconds))}\n`);
  return { ...report, failed, milliseconds };
}

function execute(args: readonly string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    child.on("error", reject);
    const end = () => child.kill("SIGTERM");
    process.on("SIGTERM", end);
    child.on("close", (code) => {
      process.off("SIGTERM", end);
      resolve(code ?? 1);
    });
  });
}

async function readReport(file: string): Promise<TestReport | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** What could not run, grouped by the reason. */
function printSkipped(skipped: readonly SkippedTest[]): void {
  if (skipped.length === 0) return;
  heading("Not run on this machine");
  for (const [reason, tests] of Map.groupBy(skipped, (one) => one.reason)) {
    process.stdout.write(`  ${yellow("!")} ${reason.replace(/\n/g, "\n    ")}\n`);
    for (const { test } of tests) process.stdout.write(`      ${dim(test)}\n`);
  }
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => !Object.hasOwn(sections, name));
  if (unknown.length > 0) {
    process.stderr.write(`No such section: ${unknown.join(", ")}. There are: ${Object.keys(sections).join(", ")}\n`);
    return 1;
  }
  const folder = await mkdtemp(join(tmpdir(), "nearlayer-report-"));
  const outcomes: Outcome[] = [];
  try {
    for (const [name, section] of Object.entries(sections)) {
      if (interrupted) break;
      const isWanted = wanted.length === 0 ? !onDemand.includes(name) : wanted.includes(name);
      if (isWanted) outcomes.push(await runSection(section, folder));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const skipped = outcomes.flatMap((outcome) => outcome.skipped);
  printSkipped(skipped);
  const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const failed = sum((outcome) => outcome.failed);
  heading(`${failed === 0 ? green("All well") : red("Something failed")} in ${duration(sum((o) => o.milliseconds))}`);
  process.stdout.write(`${sum((o) => o.passed)} passed, ${failed} failed, ${skipped.length} skipped\n`);
  if (interrupted) return 130;
  return failed === 0 ? 0 : 1;
}

// On Ctrl-C the terminal interrupts the runners as well, and they tell how far they came; what comes after is left out.
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
  });
}
process.exitCode = await main(process.argv.slice(2));
