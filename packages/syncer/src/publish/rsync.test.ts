import { parseTarget } from "@nearlayer/shared/config/target";
import { expect, test } from "vitest";
import { explainRsync } from "./failure.ts";
import { deleteNames, listExtraneous, parseResult, sendAllBlobs, sendBlobs, sendState } from "./rsync.ts";
import { sshCommand } from "./ssh.ts";

const target = parseTarget("rsync://127.0.0.1:8730/containers/");

test("blobs go without state, and nothing is deleted", () => {
  for (const { args } of [sendAllBlobs("/srv/my pub", target), sendBlobs("/srv/my pub", target, ["a"])]) {
    expect(args).toContain("--size-only");
    expect(args.join(" ")).not.toContain("--delete");
    expect(args.slice(-2)).toEqual(["/srv/my pub/", "rsync://127.0.0.1:8730/containers/"]);
  }
  expect(sendAllBlobs("/srv/pub", target).args).toContain("--exclude=/zz-state/");
});

test("GENERATION goes alone, after the lists", () => {
  const [lists, generation, ...more] = sendState("/srv/pub", target);
  expect(lists?.args).toContain("--exclude=GENERATION");
  expect(generation?.args).toEqual(expect.arrayContaining(["--include=/*/GENERATION", "--exclude=*"]));
  expect(more).toEqual([]);
});

test("deletion is bounded, and a comparison changes nothing", () => {
  expect(deleteNames("/e", target, ["a"], 5).args).toEqual(expect.arrayContaining(["--max-delete=5"]));
  expect(listExtraneous("/e", target).args.join(" ")).toMatch(/^-\w*n/);
});

test("reads the summary, with and without separators, and what was deleted", () => {
  const text =
    "*deleting   a/blobs/x y\nNumber of regular files transferred: 1,021\nTotal transferred file size: 5,242,880 bytes\n";
  expect(parseResult(text)).toEqual({ files: 1021, bytes: 5_242_880, deleted: ["a/blobs/x y"] });
});

test("rsync's own complaint is told, not what it led to", () => {
  const stderr =
    "rsync: [sender] read error: Connection reset by peer (104)\n@ERROR: Unknown module 'x'\n" +
    "rsync error: error starting client-server protocol (code 5) at main.c(1954) [sender=3.5.0]\n";
  expect(explainRsync(5, stderr, "")).toEqual({
    message: "@ERROR: Unknown module 'x' [the daemon refused: unknown module, or not authorised, exit 5]",
    hint: expect.stringContaining("modules"),
  });
});

test("the ssh command asks nobody anything, and a path cannot end its word", () => {
  expect(sshCommand({ port: 22, identityFile: "/a b/key" })).toBe(
    "ssh -oBatchMode=yes -oConnectTimeout=20 -oPort=22 -oIdentitiesOnly=yes -i '/a b/key'",
  );
  expect(() => sshCommand({ identityFile: "/a'b" })).toThrow("ssh cannot be given");
});
