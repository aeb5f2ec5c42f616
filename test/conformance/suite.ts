import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { run, runOk } from "../lib/process/run.ts";

/** The official conformance suite: a program that is configured by its environment (its README has the variables). */
const MODULE = "github.com/opencontainers/distribution-spec/conformance";
/** The commit of 2026-08-31, which tests against version 1.1 of the specification. */
const VERSION = "v0.0.0-20260831232431-97274622c111";
/** What its go.mod asks for. */
const MIN_GO = [1, 24] as const;

/** What to ask for of a registry that is only read. */
export interface Content {
  readonly tags: readonly string[];
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
  /** Digests that other manifests refer to. */
  readonly subjects: readonly string[];
}

/** `Pass`, `FAIL`, `Skip`, `Disabled` and the like, by what was tested: `Blob get`. */
export type Verdicts = Readonly<Record<string, string>>;

export interface SuiteRun {
  readonly verdicts: Verdicts;
  /** How many single tests have passed and have failed. */
  readonly passed: number;
  readonly failed: number;
  /** What it printed. */
  readonly output: string;
}

/** Builds the suite into `dir` with Go's own tools and cache. Throws with what is missing. */
export async function buildSuite(dir: string): Promise<Suite> {
  const go = await findGo();
  const env = { GOBIN: dir, GOFLAGS: "-mod=mod" };
  await runOk(go, ["install", `${MODULE}@${VERSION}`], { env, timeout: 300_000, cwd: dir });
  return createSuite(join(dir, "conformance"));
}

async function findGo(): Promise<string> {
  for (const go of ["go", "/usr/local/go/bin/go"]) {
    const { exitCode, stdout } = await run(go, ["env", "GOVERSION"]);
    if (exitCode !== 0) continue;
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout) ?? [];
    const isEnough = Number(major) > MIN_GO[0] || (Number(major) === MIN_GO[0] && Number(minor) >= MIN_GO[1]);
    if (isEnough) return go;
    throw new Error(`the suite needs Go ${MIN_GO.join(".")} or later, and ${go} is ${stdout}`);
  }
  throw new Error(
    `the suite is built with Go ${MIN_GO.join(".")} or later, which is neither on the PATH nor in /usr/local/go: ` +
      "https://go.dev/doc/install. Its pull cases that need no Go: pnpm e2e test/e2e/conformance.test.ts",
  );
}

export interface Suite {
  /** Pushes all that it tests with, whatever the registry makes of it. */
  fill(host: string, repository: string, results: string): Promise<SuiteRun>;
  /** Tests all that can be read, and nothing else. */
  read(host: string, repository: string, content: Content, results: string): Promise<SuiteRun>;
}

function createSuite(program: string): Suite {
  const start = async (host: string, repository: string, results: string, env: Readonly<Record<string, string>>) => {
    await access(program, constants.X_OK);
    const { stdout, stderr } = await run(program, [], {
      env: {
        OCI_REGISTRY: host,
        OCI_TLS: "disabled",
        OCI_REPO1: repository,
        OCI_REPO2: `${repository}-2`,
        OCI_RESULTS_DIR: results,
        OCI_VERSION: "1.1",
        OCI_API_TAGS_DELETE: "false",
        OCI_API_MANIFESTS_DELETE: "false",
        OCI_API_BLOBS_DELETE: "false",
        ...env,
      },
      timeout: 120_000,
    });
    return readOutput(`${stdout}\n${stderr}`);
  };
  return {
    fill: (host, repository, results) => start(host, repository, results, {}),
    read: (host, repository, { tags, manifests, blobs, subjects }, results) =>
      start(host, repository, results, {
        OCI_API_PUSH: "false",
        OCI_RO_DATA_TAGS: tags.join(" "),
        OCI_RO_DATA_MANIFESTS: manifests.join(" "),
        OCI_RO_DATA_BLOBS: blobs.join(" "),
        OCI_RO_DATA_REFERRERS: subjects.join(" "),
      }),
  };
}

/**
 * What it says is what counts: it ends with 0 when it could not even begin, and with 2 after a read-only run, whose
 * reports it fails to write once the results are out.
 */
function readOutput(output: string): SuiteRun {
  const verdicts: Record<string, string> = {};
  for (const [, what = "", verdict = ""] of output.matchAll(/^ {2}(\S[^.:]*?)\.+: +(\S+)$/gm)) verdicts[what] = verdict;
  const { Pass, FAIL, Error: errors, ...rest } = verdicts;
  return { verdicts: rest, passed: Number(Pass), failed: Number(FAIL) + Number(errors), output };
}
