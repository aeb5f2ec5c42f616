import { expect, test } from "vitest";
import { credentialsIn } from "./docker-config.ts";

const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
const me = { kind: "password", username: "me", password: "se:cret" };

test.each([
  ["registry.example.org", { "registry.example.org": auth("me:se:cret") }, me],
  ["registry.example.org", { "https://registry.example.org/v1/": auth("me:se:cret") }, me],
  ["registry.example.org", { "http://registry.example.org": auth("me:se:cret\0\0") }, me],
  [
    "registry.example.org",
    { "https://registry.example.org": auth("no:no"), "registry.example.org": auth("me:se:cret") },
    me,
  ],
  ["127.0.0.1:5000", { "127.0.0.1:5000": auth("me:se:cret") }, me],
  ["127.0.0.1:5000", { "127.0.0.1": auth("me:se:cret"), "127.0.0.1:5001": auth("me:se:cret") }, undefined],
  ["registry-1.docker.io", { "https://index.docker.io/v1/": auth("me:se:cret") }, me],
  [
    "a.example",
    { "a.example": { identitytoken: "refresh", ...auth("00000000:") } },
    { kind: "identity", token: "refresh" },
  ],
  ["a.example", { "a.example": {} }, undefined],
  ["a.example", { "a.example": auth("nonsense") }, undefined],
  ["a.example", {}, undefined],
])("%s in %j: %j", (host, auths, expected) => {
  expect(credentialsIn({ auths }, host)).toEqual(expected);
});
