// Running a command whose output nobody wants to see unless it fails.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

/** The last lines of a log, for an error message. */
function tail(file, lines = 20) {
  const text = readFileSync(file, "utf8").trimEnd();
  return text.split("\n").slice(-lines).join("\n");
}

/** A failed command: what ran, how it ended, and the end of what it said. */
export class CommandError extends Error {
  constructor(command, reason, log) {
    super(`${command}: ${reason}\n\n${tail(log).replace(/^/gm, "    ")}\n\n  The whole log: ${log}`);
    this.name = "CommandError";
  }
}

/** Runs a command without a shell, its output added to the file `log`; rejects with a CommandError when it fails. */
export function runLogged(file, args, { log, cwd, env }) {
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, "a");
  const command = `${file} ${args.join(" ")}`;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: ["ignore", output, output] });
    child.on("error", (error) => reject(new CommandError(command, error.message, log)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new CommandError(command, signal ? `ended by ${signal}` : `exit code ${code}`, log));
    });
  }).finally(() => closeSync(output));
}
