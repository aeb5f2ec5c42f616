/** What rsync's exit codes mean (rsync(1), "EXIT VALUES"), as far as they tell an operator something. */
const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  1: "refused, or used wrongly",
  2: "the two rsyncs do not understand each other",
  3: "a folder or file could not be selected",
  5: "the daemon refused: unknown module, or not authorised",
  10: "the connection failed",
  11: "file I/O failed",
  12: "the connection broke",
  13: "a program diagnostic",
  14: "inter-process communication failed",
  20: "stopped by a signal",
  22: "out of memory",
  23: "some files were not transferred",
  24: "some files vanished while they were read",
  25: "more was to be deleted than allowed",
  30: "the other side was silent too long",
  35: "the daemon did not answer in time",
  127: "there is no rsync at the other end",
  255: "ssh failed",
};

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/Unknown module/, "ask `rsync rsync://HOST/` for the modules that there are"],
  [/module is read only/, "the master's rsyncd.conf says `read only = yes` for this module"],
  [/No space left/, "free some space on the target; the same command goes on where it stopped"],
  [/auth failed|password/i, "set publish.passwordFile, or RSYNC_PASSWORD in the environment"],
  [/Connection refused/, "does the rsync daemon run there?"],
  [/Permission denied \(publickey|Host key verification failed/, "see publish.ssh, and try it by hand: ssh USER@HOST"],
  [/link_stat .* No such file/, "a file of the tree is missing: `syncer verify --repair` brings it back"],
];

/** The complaint of the other side tells more than that the connection was then closed. */
const AFTERMATH = /Connection reset|Broken pipe|connection unexpectedly closed/;
const MAX_LINES = 3;

/** rsync's own words on what went wrong, what its exit code means, and what can be done. */
export function explainRsync(
  exitCode: number | undefined,
  stderr: string,
  otherwise: string,
): { message: string; hint: string | undefined } {
  if (exitCode === undefined) return { message: otherwise, hint: "is rsync installed?" };
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^rsync (?:error|warning):/.test(line));
  const causes = lines.filter((line) => !AFTERMATH.test(line));
  const words = [...new Set(causes.length > 0 ? causes : lines)];
  const shown = [...words.slice(0, MAX_LINES), ...(words.length > MAX_LINES ? [`… ${words.length} lines`] : [])];
  const hint = HINTS.find(([pattern]) => pattern.test(stderr))?.[1];
  const meaning = `${EXIT_MEANINGS[exitCode] ?? "unknown"}, exit ${exitCode}`;
  return { message: `${shown.join("; ") || "it said nothing"} [${meaning}]`, hint };
}
