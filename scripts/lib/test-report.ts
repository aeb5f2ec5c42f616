import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from "vitest/node";

/** A test that did not run, and why not. */
export interface SkippedTest {
  readonly test: string;
  readonly reason: string;
}

/** What came of one run of Vitest. */
export interface TestReport {
  readonly passed: number;
  /** Tests, and also files and suites that did not get as far as their tests. */
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
}

/** The environment variable that says where the report goes. */
export const reportVariable = "NEARLAYER_TEST_REPORT";

/** Writes down what ran, and of what was skipped the reason, which Vitest's own JSON report leaves out. */
export default class TestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env[reportVariable];
    if (file !== undefined) writeFileSync(file, JSON.stringify(report(modules, unhandled)));
  }
}

function report(modules: readonly TestModule[], unhandled: readonly SerializedError[]): TestReport {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const broken = suites.filter((suite) => suite.errors().length > 0);
  const inState = (state: string) => tests.filter((test) => test.result().state === state);
  return {
    passed: inState("passed").length,
    failed: inState("failed").length + broken.length + unhandled.length,
    skipped: [...inState("skipped"), ...inState("pending")].map(skipped),
  };
}

function skipped(test: TestCase): SkippedTest {
  const result = test.result();
  if (result.state !== "skipped") return { test: test.fullName, reason: "it was not reached" };
  const reason = result.note ?? (setUpFailed(test) ? "what it stands on failed, see above" : "no reason given");
  return { test: test.fullName, reason };
}

/** Whether a suite around the test failed before it came to its tests. */
function setUpFailed({ parent }: TestCase | TestSuite): boolean {
  return parent.errors().length > 0 || (parent.type === "suite" && setUpFailed(parent));
}
