import { parseTarget } from "@nearlayer/shared/config/target";
import { expect, test } from "vitest";
import { parseStats, rsyncArguments } from "./rsync.ts";

const target = parseTarget("rsync://127.0.0.1:8730/containers/");

test("blobs go without state, and nothing is deleted", () => {
  const args = rsyncArguments("/srv/pub", target, "blobs");
  expect(args).toContain("--size-only");
  expect(args).toContain("--exclude=/zz-state/");
  expect(args.join(" ")).not.toContain("--delete");
  expect(args.slice(-2)).toEqual(["/srv/pub/", "rsync://127.0.0.1:8730/containers/"]);
});

test("state goes alone", () => {
  const args = rsyncArguments("/srv/pub", target, "state");
  expect(args).not.toContain("--size-only");
  expect(args.slice(-2)).toEqual(["/srv/pub/zz-state/", "rsync://127.0.0.1:8730/containers/zz-state/"]);
});

test("reads the summary, with and without separators", () => {
  const text =
    "Number of deleted files: 2\nNumber of regular files transferred: 1,021\nTotal transferred file size: 5,242,880 bytes\n";
  expect(parseStats(text)).toEqual({ files: 1021, bytes: 5_242_880, deleted: 2 });
});
