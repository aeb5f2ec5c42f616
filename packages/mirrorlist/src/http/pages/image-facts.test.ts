import { expect, test } from "vitest";
import { MAX_PAIRS, pairs, readConfig } from "./image-facts.ts";

const read = (document: unknown) => readConfig(Buffer.from(JSON.stringify(document)));

test("what is shown of a configuration", () => {
  const config = {
    ...{ Entrypoint: ["/bin/sh", "-c"], Cmd: ["echo it's"], User: "nobody" },
    ...{ ExposedPorts: { "80/tcp": {} }, Labels: { a: "b", number: 7 } },
  };
  expect(read({ os: "linux", architecture: "arm64", variant: "v8", created: "2026-11-22T12:00:00Z", config })).toEqual({
    ...{ os: "linux", architecture: "arm64", variant: "v8", created: "2026-11-22T12:00:00Z", user: "nobody" },
    ...{ command: "/bin/sh -c 'echo it'\\''s'", ports: ["80/tcp"], labels: [["a", "b"]] },
  });
});

test.each([
  [null],
  [7],
  [[]],
  ["text"],
  [{}],
  [{ os: 7, created: {}, config: { Entrypoint: "sh", Cmd: [7], Labels: [], ExposedPorts: null } }],
])("of nonsense nothing is shown: %j", (document) => {
  expect(read(document)).toEqual({ ports: [], labels: [] });
});

test("what is no JSON is no configuration", () => {
  expect(readConfig(Buffer.from("{"))).toBeUndefined();
});

test("of very many labels, the first", () => {
  const labels = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`label-${index}`, "x"]));
  expect(pairs(labels)).toHaveLength(MAX_PAIRS);
});
