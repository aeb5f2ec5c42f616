import { expect, test } from "vitest";
import { parseListingSource, parseTarget } from "./target.ts";

test.each([
  ["rsync://master.example.org/containers/", "daemon", "rsync://master.example.org/containers/"],
  ["rsync://127.0.0.1:8730/containers", "daemon", "rsync://127.0.0.1:8730/containers/"],
  ["rsync://[::1]:8730/m/sub/", "daemon", "rsync://[::1]:8730/m/sub/"],
  ["push@master::containers", "daemon", "push@master::containers/"],
  ["push@master.example.org:/srv/pub", "ssh", "push@master.example.org:/srv/pub/"],
  ["/srv/pub", "local", "/srv/pub/"],
  ["./pub", "local", "./pub/"],
])("%s is a %s target", (text, kind, destination) => {
  expect(parseTarget(text)).toEqual({ kind, destination });
});

test.each([
  "/tmp/x; touch PWNED",
  "/tmp/$(id)",
  "/tmp/a b",
  "-e sh",
  "--rsh=sh:x",
  "-oProxyCommand=x:/y",
  "host:/a/../../etc",
  "rsync://host/",
  "http://host/x",
  "x\n/y",
  "",
  "host:`id`",
])("%j is refused", (text) => {
  expect(() => parseTarget(text)).toThrow("not a destination for rsync");
});

test.each(["rsync://mirror.example.org/pub/", "rsync://[2001:db8::1]:8730/pub/deep/"])("%s can be listed", (text) => {
  expect(parseListingSource(text)).toBe(text);
});

test.each([
  "rsync://user@mirror.example.org/pub/",
  "mirror.example.org::pub",
  "mirror.example.org:/pub/",
  "/pub/",
  "rsync://mirror.example.org/pub/../etc/",
  "rsync://mirror.example.org/pub; touch PWNED/",
  "--rsh=touch PWNED",
  "rsync://mirror.example.org/",
])("%j cannot be listed", (text) => {
  expect(() => parseListingSource(text)).toThrow("not a module of an rsync daemon");
});
