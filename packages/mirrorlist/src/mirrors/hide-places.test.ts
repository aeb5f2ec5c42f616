import { expect, test } from "vitest";
import { hidePlaces } from "./hide-places.ts";

test.each([
  ["connect ECONNREFUSED 192.0.2.1:8080", "connect ECONNREFUSED …"],
  ["getaddrinfo ENOTFOUND mirror.campus.example", "getaddrinfo ENOTFOUND …"],
  ["https://mirror.campus.example:8443/pub/ answers 500", "… answers 500"],
  ["rsync://rsync.campus.example/pub/ (rsync.campus.example) refuses", "… (…) refuses"],
  ["mirror.campus.example:8443 is private", "… is private"],
  ["connect ETIMEDOUT 2001:db8::1:443, [2001:db8::2]:443 and ::1", "connect ETIMEDOUT …, … and …"],
  ["linux-amd64: at generation 12, since 12:30", "linux-amd64: at generation 12, since 12:30"],
])("%s", (text, hidden) => {
  expect(hidePlaces(text, "https://mirror.campus.example:8443/pub/", "rsync://rsync.campus.example/pub/")).toBe(hidden);
});
