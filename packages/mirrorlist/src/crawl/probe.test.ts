import type { RequestListener } from "node:http";
import { formatGeneration, sha256Hex } from "@nearlayer/shared/generation";
import { createSigner, generateKey, parseVerifier, signNote, verifierLine } from "@nearlayer/shared/note";
import { describe, expect, onTestFinished, test } from "vitest";
import { createMirrorAgent, isPublicAddress } from "../mirrors/agent.ts";
import { type Mirror, mirrorOf } from "../mirrors/mirror.ts";
import { createNetwork } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import { listen } from "../testing/http.ts";
import { AMD64, ARM64, declare, NOW } from "../testing/mirrors.ts";
import { createTree } from "../testing/tree.ts";
import { knownGenerations } from "./known.ts";
import { probe } from "./probe.ts";
import { crawlRound } from "./round.ts";

const generation = {
  platform: AMD64,
  number: 7,
  time: "2026-11-22T12:00:00Z",
  files: 1,
  bytes: 1,
  listSha256: sha256Hex("x"),
};
const GENERATION = formatGeneration(generation);

function means(isKnown = true) {
  const agent = createMirrorAgent();
  onTestFinished(() => agent[Symbol.asyncDispose]());
  return { agent, isKnown: async () => isKnown, now: () => NOW, timeoutMs: 300 };
}

async function serving(listener: RequestListener): Promise<Mirror> {
  const server = await listen(listener);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return mirrorOf(declare("m", { url: server.url, allowPrivateAddress: true }));
}

const withProbe = (mirror: Mirror, known: Probe): Mirror => ({ ...mirror, probes: new Map([[known.platform, known]]) });

test("reads the generation, and then asks only whether it has changed", async () => {
  const seen: unknown[] = [];
  const mirror = await serving((incoming, response) => {
    seen.push([incoming.url, incoming.headers["if-none-match"], incoming.headers["accept-encoding"]]);
    if (incoming.headers["if-none-match"] === '"7"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"7"' }).end(GENERATION);
  });
  const first = await probe(mirror, AMD64, means());
  expect(first).toEqual({ platform: AMD64, at: NOW, seenAt: NOW, generation: 7, etag: '"7"' });
  const later = { ...means(), now: () => NOW + 1000 };
  expect(await probe(withProbe(mirror, first), AMD64, later)).toEqual({ ...first, at: NOW + 1000, seenAt: NOW + 1000 });
  expect(seen).toEqual([
    ["/zz-state/linux-amd64/GENERATION", undefined, "identity"],
    ["/zz-state/linux-amd64/GENERATION", '"7"', "identity"],
  ]);
});

test.each<[string, string, RequestListener]>([
  ["a missing platform", "absent", (_, response) => response.writeHead(404).end()],
  ["an error", "status", (_, response) => response.writeHead(500).end()],
  ["a redirect", "status", (_, response) => response.writeHead(302, { location: "/" }).end()],
  ["a 304 that was not asked for", "status", (_, response) => response.writeHead(304).end()],
  ["another platform", "invalid", (_, response) => response.end(GENERATION.replace("amd64", "arm64"))],
  ["a page", "invalid", (_, response) => response.end("<html>welcome</html>")],
  ["too much", "invalid", (_, response) => response.end(GENERATION + "x".repeat(1000))],
  ["bytes without end", "invalid", (_, response) => void setInterval(() => response.write("x".repeat(500)), 1).unref()],
  ["silence", "timeout", () => undefined],
  ["a body that stops", "timeout", (_, response) => void response.writeHead(200, { "content-length": 99 }).write("n")],
  ["a reset", "network", (incoming) => void incoming.socket.destroy()],
])("%s is a failure of the kind %s", async (_, kind, listener) => {
  const known: Probe = { platform: AMD64, at: 1, seenAt: 1, generation: 6 };
  const result = await probe(withProbe(await serving(listener), known), AMD64, means());
  // What it had shown before is still to be seen, and cannot be taken for news.
  expect(result).toMatchObject({ at: NOW, seenAt: 1, generation: 6, failure: { kind } });
});

test("a generation that was not made here is not believed", async () => {
  const mirror = await serving((_, response) => response.end(GENERATION));
  expect(await probe(mirror, AMD64, means(false))).toMatchObject({ failure: { kind: "foreign" } });
});

describe("with a key of the operator's", () => {
  const signer = createSigner("example", generateKey());
  const verifiers = () => [parseVerifier(verifierLine(signer))];

  test.each([
    ["signed by it", signNote(GENERATION, signer), undefined],
    ["not signed", GENERATION, "unsigned"],
    ["signed by another of that name", signNote(GENERATION, createSigner("example", generateKey())), "unsigned"],
    ["changed since", signNote(GENERATION, signer).replace("number: 7", "number: 8"), "unsigned"],
  ])("a generation that is %s", async (_, text, kind) => {
    const mirror = await serving((_, response) => response.end(text));
    const { failure } = await probe(mirror, AMD64, { ...means(), verifiers });
    expect(failure?.kind).toBe(kind);
    if (kind !== undefined) expect(failure?.message).toBe("GENERATION is not signed by example");
  });
});

test("while the catalog is out of reach, a mirror counts for what it showed before, and for no more", async () => {
  const mirror = await serving((_, response) => response.end(GENERATION));
  const unreadable = { ...means(), isKnown: () => Promise.reject(new Error("gone")) };
  const known: Probe = { platform: AMD64, at: 1, seenAt: 1, generation: 6, etag: '"6"' };
  // Without the ETag: what was not looked at closely must be sent again.
  expect(await probe(withProbe(mirror, known), AMD64, unreadable)).toEqual({
    ...{ platform: AMD64, at: NOW, seenAt: NOW, generation: 6 },
  });
  for (const before of [mirror, withProbe(mirror, { ...known, generation: 8 })]) {
    expect(await probe(before, AMD64, unreadable)).toMatchObject({ failure: { kind: "unverified" } });
  }
});

test("the catalog is asked once about each generation that was made here", async () => {
  await using tree = await createTree();
  await tree.publish(AMD64, 7);
  const isKnown = knownGenerations(tree.catalog);
  const made = { ...generation, listSha256: sha256Hex(`${AMD64} 7`) };
  expect([await isKnown(made), await isKnown(generation)]).toEqual([true, false]);
  await tree.catalog.deleteFrom("generation").execute();
  expect([await isKnown(made), await isKnown(generation)]).toEqual([true, false]);
});

test("private addresses are not connected to, by number or by name", async () => {
  const requests: string[] = [];
  const server = await listen((incoming, response) => {
    requests.push(incoming.url ?? "");
    response.end(GENERATION);
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"]) {
    const mirror = mirrorOf(declare("m", { url: `http://${host}:${server.port}/` }));
    expect(await probe(mirror, AMD64, means())).toMatchObject({ failure: { kind: "private-address" } });
  }
  expect(requests).toEqual([]);
});

test.each([
  ["8.8.8.8", true],
  ["2606:4700::1", true],
  ["10.1.2.3", false],
  ["100.64.0.1", false],
  ["169.254.169.254", false],
  ["0.0.0.0", false],
  ["fe80::1", false],
  ["fd00::1", false],
  ["::ffff:10.0.0.1", false],
  ["64:ff9b::a00:1", false],
  ["nonsense", false],
])("%s is public: %s", (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic);
});

test("a round asks each mirror for what it carries, and one that hangs keeps nobody waiting", async () => {
  const requests: string[] = [];
  const good = await listen((incoming, response) => {
    requests.push(incoming.url ?? "");
    response.end(incoming.url?.includes("amd64") ? GENERATION : GENERATION.replace("amd64", "arm64"));
  });
  const hanging = await listen(() => undefined);
  onTestFinished(async () => {
    await Promise.all([good[Symbol.asyncDispose](), hanging[Symbol.asyncDispose]()]);
  });
  const network = createNetwork([
    declare("all", { url: good.url, allowPrivateAddress: true }),
    declare("hanging", { url: hanging.url, allowPrivateAddress: true }),
    declare("arm", { url: good.url, allowPrivateAddress: true, platforms: ["linux-arm64"] }),
    declare("off", { url: good.url, allowPrivateAddress: true, disabled: true }),
  ]);
  await crawlRound(network, [AMD64, ARM64], means());
  const states = network
    .mirrors()
    .map(({ name, probes }) => [
      name,
      ...[...probes.values()].map(({ generation: number, failure }) => failure?.kind ?? number),
    ]);
  expect(states).toEqual([["all", 7, 7], ["hanging", "timeout", "timeout"], ["arm", 7], ["off"]]);
  expect(requests.filter((url) => url.includes("amd64"))).toHaveLength(1);
});
