import { execa } from "execa";

/** How a command ended. A failure has the same shape as a success, so that a test can assert on it. */
export interface RunResult {
  /** The command line, for people. */
  readonly command: string;
  /** 127 when it could not be started, 124 when it was ended by the time limit. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** In milliseconds; 60 s by default. */
  readonly timeout?: number;
}

/** Runs a command without a shell; never rejects because the command failed. */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input = "", timeout = 60_000, ...rest } = options;
  const result = await execa(file, args, { ...rest, input, timeout, reject: false, forceKillAfterDelay: 2_000 });
  const failure = result.exitCode === undefined ? `\n${result.shortMessage ?? "did not run"}` : "";
  return {
    command: result.command,
    exitCode: result.exitCode ?? (result.timedOut ? 124 : 127),
    stdout: result.stdout,
    stderr: result.stderr + failure,
    milliseconds: result.durationMs,
  };
}

/** Runs a command that is expected to succeed; rejects with the end of what it said when it does not. */
export async function runOk(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return expectOk(await run(file, args, options));
}

/** Passes on a result that is a success; throws with the end of what the command said when it is none. */
export function expectOk(result: RunResult): RunResult {
  if (result.exitCode === 0) return result;
  const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-20).join("\n");
  throw new Error(`${result.command}: exit code ${result.exitCode}\n${said}`);
}
