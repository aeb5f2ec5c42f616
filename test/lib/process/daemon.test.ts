import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { startDaemon } from "./daemon.ts";
import { temporaryFolder } from "./folder.ts";
import { until } from "./until.ts";

/** The state of a process, or undefined when it is gone; one that nobody has buried yet counts as gone. */
async function alive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "Z");
  return !/(^|\) )Z/.test(status);
}

describe("a daemon", () => {
  test("that does not come up fails with the end of its log", async () => {
    await using folder = await temporaryFolder();
    const started = startDaemon({
      name: "broken",
      dir: folder.path,
      command: ["sh", "-c", "echo no such luck >&2; exit 3"],
      ready: async () => false,
    });
    await expect(started).rejects.toThrow(/broken ended with 3[\s\S]*no such luck/);
  });

  test("that is not ready in time is stopped", async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/pid`;
    const started = startDaemon({
      name: "slow",
      dir: folder.path,
      command: ["sh", "-c", `echo $$ >${file}; exec sleep 60`],
      ready: async () => false,
      within: 300,
    });
    await expect(started).rejects.toThrow("slow to serve: not within 300 ms");
    expect(await alive(Number(await readFile(file, "utf8")))).toBe(false);
  });

  test("is stopped with everything that it started", async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/child`;
    const daemon = await startDaemon({
      name: "family",
      dir: folder.path,
      command: ["sh", "-c", `sleep 60 & echo $! >${file}; wait`],
      ready: async () => (await readFile(file, "utf8")) !== "",
    });
    const child = Number(await readFile(file, "utf8"));
    expect(await alive(child)).toBe(true);
    await daemon.stop();
    await until(async () => !(await alive(child)), { what: "the child to be gone" });
    expect(await alive(daemon.pid)).toBe(false);
  });

  test.skipIf(!existsSync("/usr/bin/setpriv"))("does not outlive a process that is killed", async () => {
    await using folder = await temporaryFolder();
    const program = `
      const { startDaemon } = await import(${JSON.stringify(`${import.meta.dirname}/daemon.ts`)});
      const { pid } = await startDaemon({
        name: "orphan", dir: ${JSON.stringify(folder.path)}, command: ["sleep", "60"], ready: async () => true,
      });
      console.log(pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [pid] = await once(createInterface(parent.stdout), "line");
    // Before setpriv has become what it starts, the kernel may not have been told yet.
    const isItself = async () => (await readFile(`/proc/${pid}/comm`, "utf8")) === "sleep\n";
    await until(isItself, { what: "the daemon to be itself" });
    parent.kill("SIGKILL");
    await until(async () => !(await alive(Number(pid))), { what: "the daemon to be gone" });
  });
});
