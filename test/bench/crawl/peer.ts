import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A process of the benchmark, which answers each line with one. */
export interface Peer extends AsyncDisposable {
  ask<T>(line: string): Promise<T>;
  nextLine(): Promise<string>;
}

export function startPeer(script: string, ...args: readonly string[]): Peer {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const closed = once(child, "close");
  const nextLine = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} has ended`);
    return value;
  };
  return {
    nextLine,
    async ask<T>(line: string) {
      child.stdin.write(`${line}\n`);
      const answer = await nextLine();
      return (answer === "done" ? undefined : JSON.parse(answer)) as T;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await closed;
    },
  };
}
