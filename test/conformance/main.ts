// The official conformance suite against the real parts: pnpm conformance [--keep]
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bold, dim, green, heading, red, step } from "../../scripts/lib/steps.mjs";
import { startNetwork } from "../lib/network.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { contentOf } from "./content.ts";
import { buildSuite, type SuiteRun } from "./suite.ts";

const REPOSITORY = "conformance/pull";

/** All of the suite that reads. Range is tested with what it pushes itself: `test/e2e/conformance.test.ts` has that. */
const READS = [
  ...["Ping", "Tag listing", "Referrers", "Blob get", "Blob head"],
  ...["Manifest get by digest", "Manifest get by tag", "Manifest head by digest", "Manifest head by tag"],
];

const MAX_SHOWN = 20;

/** The suite pushes its content to the stable registry; that is synced, mirrored, and read through the mirror list. */
async function test(dir: string): Promise<SuiteRun> {
  const suite = await step("Building the suite with Go", () => buildSuite(dir));
  await using network = await step("Starting docker-registry, the master and a mirror", () =>
    startNetwork({ dir, mirrors: [{ name: "example-jp", country: "JP", settings: { platforms: undefined } }] }),
  );
  await step("The suite pushes its content to docker-registry", () =>
    suite.fill(network.registry.host, REPOSITORY, join(dir, "pushed")),
  );
  await step("syncer sync, syncer publish, the mirror pulls", async () => {
    expectOk(await network.sync(REPOSITORY));
    expectOk(await network.publish());
    await network.pullMirrors();
  });
  await step("mirrorlist serve", async () => {
    await network.serve();
    await network.untilFresh();
  });
  const content = await contentOf(network.registry.url, REPOSITORY);
  const { tags, manifests, blobs, subjects } = content;
  const what = `${tags.length} tags, ${manifests.length} manifests, ${blobs.length} blobs, ${subjects.length} subjects`;
  const host = new URL(network.mirrorlistUrl).host;
  const result = await step(`The suite reads it through the mirror list: ${what}`, () =>
    suite.read(host, REPOSITORY, content, join(dir, "results")),
  );
  await writeFile(join(dir, "suite.log"), result.output);
  return result;
}

/** What failed and why, of the tree that it prints; when there is none, all that it said. */
function failures(output: string): string {
  const lines = output.split("\n");
  const failed = lines.filter((line, index) => /: (?:FAIL|Error)$/.test(line) && /^ +- /.test(lines[index + 1] ?? ""));
  const reasons = failed.slice(0, MAX_SHOWN).map((line) => `${line}\n${lines[lines.indexOf(line) + 1]}`);
  return reasons.length === 0 ? output.slice(-4000) : reasons.join("\n");
}

function summarize({ verdicts, passed, failed, output }: SuiteRun): boolean {
  process.stdout.write("\n");
  for (const name of READS) {
    const verdict = verdicts[name] ?? "not tested";
    process.stdout.write(`  ${(verdict === "Pass" ? green : red)(verdict.padEnd(10))} ${name}\n`);
  }
  const isGood = passed > 0 && failed === 0 && READS.every((name) => verdicts[name] === "Pass");
  if (!isGood) process.stdout.write(`\n${failures(output)}\n`);
  process.stdout.write(`\n${isGood ? green("✔") : red("✖")} ${bold(`${passed} passed, ${failed} failed`)}\n`);
  return isGood;
}

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const folder = await temporaryFolder("conformance");
heading("The pull side of the OCI distribution specification's conformance suite");
try {
  for (const name of ["registry", "rsync", "nginx"] as const) {
    const reason = await whyNot(name);
    if (reason !== undefined) throw new Error(`${name}: ${reason}`);
  }
  const isGood = summarize(await test(folder.path));
  if (isGood && !values.keep) await folder[Symbol.asyncDispose]();
  else process.stdout.write(dim(`  What the suite and the servers said: ${folder.path}\n`));
  process.exitCode = isGood ? 0 : 1;
} catch (error) {
  process.stderr.write(`\n${red("✖")} ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
