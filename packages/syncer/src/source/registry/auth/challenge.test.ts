import { expect, test } from "vitest";
import { parseChallenge } from "./challenge.ts";

const dockerHub = {
  scheme: "bearer",
  realm: "https://auth.docker.io/token",
  service: "registry.docker.io",
  scope: "repository:library/alpine:pull",
};

test.each([
  [undefined, undefined],
  ["", undefined],
  ["Negotiate", undefined],
  ["Bearer", undefined],
  ['Basic realm="basic-realm"', { scheme: "basic" }],
  ["basic", { scheme: "basic" }],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
    dockerHub,
  ],
  [
    'bearer scope="repository:library/alpine:pull" , service=registry.docker.io, REALM="https://auth.docker.io/token"',
    dockerHub,
  ],
  [
    'Bearer realm="https://a/t",scope="repository:a:pull,push"',
    { scheme: "bearer", realm: "https://a/t", scope: "repository:a:pull,push" },
  ],
  ['Bearer realm="https://a/\\"q\\""', { scheme: "bearer", realm: 'https://a/"q"' }],
  ['Basic realm="x", Bearer realm="https://a/t"', { scheme: "bearer", realm: "https://a/t" }],
  [["Basic realm=x", 'Bearer realm="https://a/t"'], { scheme: "bearer", realm: "https://a/t" }],
  [["Negotiate", "Basic realm=x"], { scheme: "basic" }],
])("%j is %j", (header, expected) => {
  expect(parseChallenge(header)).toEqual(expected);
});
