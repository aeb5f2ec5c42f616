import { parseConfig } from "@nearlayer/shared/config/load";
import { digestOf } from "@nearlayer/shared/digest";
import { describe, expect, test } from "vitest";
import { judge } from "./judge.ts";
import { completeRules } from "./presets.ts";

const rulesOf = (yaml: string) => completeRules(parseConfig(`events:\n  rules: ${yaml}`, "test").events.rules);
const encode = (body: unknown) => new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));

function judged(rules: string, topic: string, body: unknown, schema?: string): unknown {
  const message = { source: "test", key: "1", topic, body: encode(body), ...(schema === undefined ? {} : { schema }) };
  const verdict = judge(rulesOf(rules), message, (name) => !name.startsWith("private/"));
  if ("ignored" in verdict) return verdict.ignored;
  return verdict.records.map(({ wanted }) => {
    if ("parked" in wanted) return `parked: ${wanted.parked}`;
    return wanted.tag === undefined ? wanted.repository : `${wanted.repository}:${wanted.tag}`;
  });
}

describe("a push to a distribution registry", () => {
  const push = (target: object) => ({ id: "1", action: "push", target });
  test.each([
    ["a tag", push({ repository: "fedora/app", tag: "40" }), ["fedora/app:40"]],
    ["a manifest without a tag", push({ repository: "fedora/app" }), "no rule applies"],
    ["what is left out", push({ repository: "private/app", tag: "1" }), "not wanted"],
    ["no target", {}, "no rule applies"],
    ["a hostile name", push({ repository: "../../etc", tag: "1" }), ['parked: not a repository name: "../../etc"']],
    ["a hostile tag", push({ repository: "a", tag: "1;rm -rf /" }), ['parked: not a tag: "1;rm -rf /"']],
    [
      "a name that is none",
      push({ repository: { a: 1 }, tag: "1" }),
      ["parked: what is at /target/repository is neither text nor a number"],
    ],
    ["no name", push({ tag: "1" }), ["parked: there is nothing at /target/repository"]],
    [
      "a long name",
      push({ repository: "a".repeat(1000), tag: "1" }),
      ["parked: what is at /target/repository has 1000 characters"],
    ],
  ])("%s", (_, body, expected) => {
    expect(judged("[{use: registry-push}]", "registry.push", body)).toEqual(expected);
  });
});

test.each([
  ["its digest", digestOf("x"), digestOf("x")],
  ["what is no digest", "sha256:x", undefined],
  ["what is no text", { a: 1 }, undefined],
  ["nothing", undefined, undefined],
])("a push that names %s", (_, digest, expected) => {
  const body = encode({ target: { repository: "a", tag: "1", digest } });
  const verdict = judge(
    rulesOf("[{use: registry-push}]"),
    { source: "s", key: "1", topic: "registry.push", body },
    () => true,
  );
  expect("records" in verdict ? verdict.records.map(({ wanted }) => "digest" in wanted && wanted.digest) : []).toEqual([
    expected ?? false,
  ]);
});

describe("a Koji build", () => {
  const topic = "org.fedoraproject.prod.buildsys.build.state.change";
  const build = { attribute: "state", old: 0, new: 1, name: "toolbox", version: "40", release: "3", epoch: null };
  test.each([
    ["that is complete", build, ["toolbox:40-3"]],
    ["that failed", { ...build, new: 3 }, "no rule applies"],
    ["whose other attribute changed", { ...build, attribute: "volume_id" }, "no rule applies"],
  ])("%s", (_, body, expected) => {
    expect(judged("[{use: koji-build}]", topic, body)).toEqual(expected);
  });

  test("in fedmsg's envelope", () => {
    const envelope = { topic, msg_id: "2026-1", i: 1, timestamp: 1, username: "koji", msg: build };
    expect(judged("[{use: koji-build}]", topic, envelope)).toEqual(["toolbox:40-3"]);
    expect(judged("[{topic: '#', repository: '{/msg/name}'}]", topic, envelope)).toEqual(["toolbox"]);
  });

  test("in a place of one's own", () => {
    const rule = "[{use: koji-build, repository: 'fedora/{/name}', tag: '{/version}'}]";
    expect(judged(rule, topic, build)).toEqual(["fedora/toolbox:40"]);
  });
});

describe("a Bodhi update", () => {
  const topic = "org.fedoraproject.prod.bodhi.update.complete.stable";
  const update = (builds: unknown) => ({
    agent: "bodhi",
    update: { alias: "FEDORA-1", release: { branch: "f40" }, builds },
  });
  test.each([
    [
      "of containers and packages",
      update([
        { nvr: "toolbox-40-3", type: "container" },
        { nvr: "lib-foo-1.0-2.fc40", type: "rpm" },
        { nvr: "web-server-2-1", type: "container" },
      ]),
      ["f40/toolbox", "f40/web-server"],
    ],
    ["of packages alone", update([{ nvr: "bash-5-1", type: "rpm" }]), "no rule applies"],
    [
      "with one name that is none",
      update([
        { nvr: "toolbox-40-3", type: "container" },
        { nvr: "x", type: "container" },
      ]),
      ["f40/toolbox", 'parked: "x" is not NAME-VERSION-RELEASE'],
    ],
    ["without builds", { update: {} }, ["parked: there is no list at /update/builds"]],
    ["of another shape", [], ["parked: there is no list at /update/builds"]],
  ])("%s", (_, body, expected) => {
    expect(judged("[{use: bodhi-stable}]", topic, body)).toEqual(expected);
  });
});

describe("rules of one's own", () => {
  const rule = "[{topic: 'org.*.image.#', schema: image-v1, when: {/kind: [image, index]}, repository: '{/repo}'}]";
  test.each([
    ["org.example.image.pushed", { kind: "image", repo: "a/b" }, "image-v1", ["a/b"]],
    ["org.example.image", { kind: "index", repo: "a/b" }, "image-v1", ["a/b"]],
    ["org.example.image", { kind: "chart", repo: "a/b" }, "image-v1", "no rule applies"],
    ["org.image", { kind: "image", repo: "a/b" }, "image-v1", "unknown topic"],
    [
      "org.example.image",
      { kind: "image" },
      "image-v2",
      ["parked: the schema is image-v2; the rules for org.example.image read image-v1"],
    ],
    [
      "org.example.image",
      { kind: "image" },
      undefined,
      ["parked: the schema is not named; the rules for org.example.image read image-v1"],
    ],
  ])("%s %j %s", (topic, body, schema, expected) => {
    expect(judged(rule, topic, body, schema)).toEqual(expected);
  });

  test("two that ask for the same ask once", () => {
    const both = "[{topic: t, repository: '{/a}', tag: '{/b}'}, {topic: '#', repository: x, tag: '1'}]";
    expect(judged(both, "t", { a: "x", b: 1 })).toEqual(["x:1"]);
  });

  test("a message has no say in what objects inherit", () => {
    const inherited = "[{topic: t, repository: '{/constructor/name}'}]";
    expect(judged(inherited, "t", {})).toEqual(["parked: there is nothing at /constructor/name"]);
    expect(judged("[{topic: t, repository: '{/__proto__/a}'}]", "t", '{"__proto__": {"a": "x"}}')).toEqual(["x"]);
  });

  test("too many are parked as one", () => {
    const body = Array.from({ length: 1001 }, (_, index) => `r${index}`);
    expect(judged("[{topic: t, each: '', repository: '{.}'}]", "t", body)).toEqual([
      "parked: it asks for 1001 syncs; 1000 is the most",
    ]);
  });
});

describe("what is no message", () => {
  test.each([
    ["", /^parked: the message is not JSON/],
    ["{", /^parked: the message is not JSON/],
    ["\0", /^parked: the message is not JSON/],
    ["[".repeat(100_000), /^parked: the message is not JSON/],
  ])("%j is parked", (body, reason) => {
    expect(judged("[{topic: t, repository: a}]", "t", body)).toEqual([expect.stringMatching(reason)]);
  });

  test("a large one is parked without its body", () => {
    const message = { source: "test", key: "1", topic: "t", body: { tooLarge: 50_000_000 } };
    expect(judge(rulesOf("[{topic: t, repository: a}]"), message, () => true)).toEqual({
      records: [
        {
          ...{ source: "test", key: "1", part: 0, topic: "t", body: undefined },
          wanted: { parked: "the message has 50000000 bytes, more than events.maxBody" },
        },
      ],
    });
  });

  test("of an unknown topic it is nothing", () => {
    expect(judged("[{topic: t, repository: a}]", "u", "{")).toBe("unknown topic");
  });
});
