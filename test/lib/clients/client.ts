import type { RunResult } from "../process/run.ts";

export const clientNames = ["docker", "containerd", "podman", "skopeo"] as const;
export type ClientName = (typeof clientNames)[number];

export interface PullOptions {
  /** `linux/arm64`; this machine's by default. */
  readonly platform?: string;
  /** Milliseconds; 60 s by default. */
  readonly timeout?: number;
}

/** A real client with image storage of its own, which pulls over plain HTTP. */
export interface Client extends AsyncDisposable {
  readonly name: ClientName;
  /** Pulls `HOST/REPOSITORY:TAG` or `…@DIGEST`. */
  pull(reference: string, options?: PullOptions): Promise<RunResult>;
  /** Forgets every image, so that the next pull fetches all of it. */
  forget(): Promise<void>;
}

/** A client that also runs what it pulled. */
export interface RunningClient extends Client {
  /** Runs a command of a pulled image, in its file system. */
  run(reference: string, command: readonly string[]): Promise<RunResult>;
}

/** `["--platform", "linux/arm64"]`, or nothing. */
export function platformArgs({ platform }: PullOptions): string[] {
  return platform === undefined ? [] : ["--platform", platform];
}

/** The lines of a listing, without empty ones. */
export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}
