import { setMirrorState } from "@nearlayer/shared/catalog/mirror-states";
import { readMirror, readMirrorChanges, readMirrors } from "@nearlayer/shared/catalog/mirrors";
import { digestOf } from "@nearlayer/shared/digest";
import { proofOfToken } from "@nearlayer/shared/proof";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { startMirror, type TestMirror } from "../../testing/http.ts";
import { AMD64 } from "../../testing/mirrors.ts";
import { createWorld, GERMANY, type World } from "../../testing/world.ts";

const TOKEN = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);

let world: World;

async function setUp(optin: Record<string, unknown> = {}, mirrorlist: Record<string, unknown> = {}) {
  world = await createWorld({ own: { country: "DE" } }, mirrorlist, optin);
  onTestFinished(() => world[Symbol.asyncDispose]());
}

const yaml = (name: string, more = "") => `name: ${name}\nurl: https://${name}.example.net/pub\ncountry: JP\n${more}`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A request to the API, and the JSON of its answer. */
async function call(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const { status, headers: answered, body: bytes } = await world.get(`/api/${path}`, headers, method, body);
  return { status, headers: answered, json: bytes.length === 0 ? undefined : JSON.parse(bytes.toString()) };
}

const stateOf = async (name: string) => (await readMirror(world.tree.catalog, name))?.state;

describe("opting in", () => {
  beforeEach(() => setUp());

  test("YAML makes a pending mirror, and says what is to be shown where", async () => {
    const { status, headers, json } = await call("POST", "mirrors", yaml("m", "bandwidth: 1000\n"));
    expect(status).toBe(201);
    expect(headers).toMatchObject({ location: "/api/mirrors/m", "cache-control": "no-store" });
    expect(json).toEqual({
      name: "m",
      state: "pending",
      reason: "opted in: waiting for its proof",
      token: expect.stringMatching(/^[0-9a-f]{64}$/),
      proof: { url: "https://m.example.net/pub/nearlayer-mirror.txt", content: `${proofOfToken(json.token)}\n` },
    });
    const record = await readMirror(world.tree.catalog, "m");
    expect(record).toMatchObject({ proof: proofOfToken(json.token), declaredBy: "mirror", approvedAt: null });
    expect(JSON.stringify(record)).not.toMatch(json.token);
  });

  test("JSON does the same, with a token of one's own", async () => {
    const body = { name: "m", url: "https://m.example.net/", country: "JP", netblocks: ["133.1.0.0/16"], token: TOKEN };
    const { status, json } = await call("POST", "mirrors", JSON.stringify(body), {
      "content-type": "application/json",
    });
    expect([status, json.token]).toEqual([201, TOKEN]);
    const again = await call("POST", "mirrors", yaml("n"), bearer(OTHER));
    expect([again.status, again.json.token]).toEqual([201, OTHER]);
  });

  test.each([
    ["not YAML", "a: [", "not YAML"],
    ["a missing key", "name: m\ncountry: JP\n", "url: missing"],
    ["a netblock too large", yaml("m", "netblocks: [133.0.0.0/8]\n"), "line 4, netblocks[0]: larger"],
    ["a private ASN", yaml("m", "asn: 64512\n"), "line 4, asn: AS64512 is nobody's"],
    ["a loopback address", "name: m\nurl: http://127.0.0.1/\ncountry: JP\n", "line 2, url: a private, loopback"],
    ["what the operator decides", yaml("m", "allowPrivateAddress: true\n"), "allowPrivateAddress: unknown key"],
    ["an opt-out", `name: m\noptOut: true\ntoken: ${TOKEN}\n`, "optOut: true"],
  ])("%s is refused, with the place", async (_, body, message) => {
    const { status, json } = await call("POST", "mirrors", body);
    expect(status).toBe(400);
    expect(json.error).toMatchObject({
      code: "INVALID",
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
    expect((await readMirrors(world.tree.catalog)).names).toEqual([]);
  });

  test("sent again with the same token, it is the same mirror", async () => {
    expect((await call("POST", "mirrors", yaml("m"), bearer(TOKEN))).status).toBe(201);
    const again = await call("POST", "mirrors", yaml("m"), bearer(TOKEN));
    expect([again.status, again.json.name, again.json.changed]).toEqual([200, "m", false]);
    expect((await call("POST", "mirrors", yaml("m"), bearer(OTHER))).json.error.code).toBe("TAKEN");
    expect(await readMirrorChanges(world.tree.catalog, "m", 5)).toHaveLength(1);
  });

  test("what is taken is refused: a name, a URL, and what the operator's file has", async () => {
    await call("POST", "mirrors", yaml("m"));
    const twice = await call("POST", "mirrors", yaml("m"));
    expect([twice.status, twice.json.error.code]).toEqual([409, "TAKEN"]);
    const url = await call("POST", "mirrors", yaml("n").replace("n.example", "m.example"));
    expect([url.status, url.json.error.message]).toEqual([409, "the mirror m is at that URL already"]);
    const own = await call("POST", "mirrors", yaml("own"));
    expect([own.status, own.json.error.code]).toEqual([409, "DECLARED"]);
  });

  test.each([
    ["too large", "#".repeat(17_000), {}, 413, "TOO_LARGE"],
    ["too large, in pieces", "#".repeat(17_000), { "transfer-encoding": "chunked" }, 413, "TOO_LARGE"],
    ["compressed", "x", { "content-encoding": "gzip" }, 415, "MEDIA_TYPE"],
    ["of another site's page", yaml("m"), { origin: "https://evil.example.com" }, 403, "CROSS_SITE"],
    ["of another site's form", yaml("m"), { "sec-fetch-site": "cross-site" }, 403, "CROSS_SITE"],
    ["of a sandboxed page", yaml("m"), { origin: "null" }, 403, "CROSS_SITE"],
  ])("a body that is %s", async (_, body, headers, status, code) => {
    const answer = await call("POST", "mirrors", body, headers as Record<string, string>);
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
    expect((await readMirrors(world.tree.catalog)).names).toEqual([]);
  });

  test("no other site's page may read an answer", async () => {
    const { status, headers } = await call("OPTIONS", "mirrors", undefined, {
      origin: "https://evil.example.com",
      "access-control-request-method": "POST",
    });
    expect(status).toBe(405);
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("a mirror that has opted in", () => {
  beforeEach(async () => {
    await setUp();
    await call(
      "POST",
      "mirrors",
      yaml("m", `contact: admin@example.net\nnetblocks: [133.1.0.0/16]\ntoken: ${TOKEN}\n`),
    );
  });

  test("is shown to all, and its contact to itself", async () => {
    const { status, json } = await call("GET", "mirrors/m");
    expect(status).toBe(200);
    expect(json).toMatchObject({
      name: "m",
      state: "pending",
      reason: "opted in: waiting for its proof",
      declaredBy: "mirror",
      country: "JP",
    });
    // Anybody can write anything there, as long as nobody has seen a proof.
    expect(JSON.stringify(json)).not.toMatch(/admin@|0123456789abcdef|m\.example\.net|133\.1/);
    await setMirrorState(world.tree.catalog, { name: "m", to: "active", reason: "checked", actor: "crawler" }, "now");
    const active = await call("GET", "mirrors/m");
    expect(active.json).toMatchObject({
      state: "active",
      url: "https://m.example.net/pub/",
      proof: { content: `${proofOfToken(TOKEN)}\n` },
    });
    expect(JSON.stringify(active.json)).not.toMatch(/admin@|0123456789abcdef/);
    expect((await call("GET", "mirrors/m", undefined, bearer(TOKEN))).json.contact).toBe("admin@example.net");
    expect((await call("GET", "mirrors/m", undefined, bearer(OTHER))).json.contact).toBeUndefined();
    expect(await call("HEAD", "mirrors/m")).toMatchObject({ status: 200, json: undefined });
  });

  test("a private one shows others nothing of where it is", async () => {
    const moved = yaml("m", "private: true\nnetblocks: [133.1.0.0/16]\n").replace("/pub", "/moved");
    await call("PUT", "mirrors/m", moved, bearer(TOKEN));
    const { json } = await call("GET", "mirrors/m");
    expect(json.private).toBe(true);
    expect(JSON.stringify(json)).not.toMatch(/m\.example\.net|133\.1/);
    expect((await call("GET", "mirrors/m", undefined, bearer(TOKEN))).json.url).toBe("https://m.example.net/moved/");
  });

  test("is changed with its token", async () => {
    const { status, json } = await call("PUT", "mirrors/m", yaml("m", "bandwidth: 7\n"), bearer(TOKEN));
    expect([status, json.bandwidth, json.changed]).toEqual([200, 7, true]);
    const again = await call("PUT", "mirrors/m", yaml("m", `bandwidth: 7\ntoken: ${TOKEN}\n`));
    expect([again.status, again.json.changed]).toEqual([200, false]);
  });

  test.each([
    ["PUT", yaml("m", "bandwidth: 7\n")],
    ["DELETE", undefined],
  ])("%s with no token, or another's, is refused", async (method, body) => {
    for (const headers of [{}, bearer(OTHER), { authorization: "Basic bTp4" }, bearer(proofOfToken(TOKEN))]) {
      const {
        status,
        json,
        headers: answered,
      } = await call(method, "mirrors/m", body, headers as Record<string, string>);
      expect([status, json.error.code]).toEqual([401, "TOKEN_WRONG"]);
      expect(answered["www-authenticate"]).toMatch(/^Bearer/);
    }
    expect(await readMirror(world.tree.catalog, "m")).toMatchObject({ state: "pending", revision: 1 });
  });

  test("keeps its name; at another URL it shows its proof anew", async () => {
    const renamed = await call("PUT", "mirrors/m", yaml("n"), bearer(TOKEN));
    expect([renamed.status, renamed.json.error.message]).toEqual([400, "name: n, and the path says m"]);
    await setMirrorState(world.tree.catalog, { name: "m", to: "active", reason: "checked", actor: "crawler" }, "now");
    const moved = await call("PUT", "mirrors/m", yaml("m").replace("m.example", "x.example"), bearer(TOKEN));
    expect(moved.json).toMatchObject({
      state: "pending",
      proof: { url: "https://x.example.net/pub/nearlayer-mirror.txt" },
    });
    expect(await readMirrorChanges(world.tree.catalog, "m", 1)).toMatchObject([
      { fromState: "active", actor: "mirror" },
    ]);
  });

  test("leaves with its token, once", async () => {
    expect(await call("DELETE", "mirrors/m", undefined, bearer(TOKEN))).toMatchObject({
      status: 200,
      json: { name: "m", removed: true },
    });
    expect(await call("DELETE", "mirrors/m", undefined, bearer(TOKEN))).toMatchObject({ status: 404 });
    expect(await readMirrorChanges(world.tree.catalog, "m", 1)).toMatchObject([
      { toState: "disabled", reason: "opted out", actor: "mirror" },
    ]);
  });

  test("asks for a probe, of whom and as often as it likes, and no more is written than needed", async () => {
    const { catalog } = world.tree;
    await catalog.updateTable("mirror").set({ probeWantedAt: null }).execute();
    const first = await call("POST", "mirrors/m/check-in");
    expect(first).toMatchObject({
      status: 202,
      json: { name: "m", state: "pending", probeWantedAt: expect.any(String) },
    });
    const { revision } = await readMirrors(catalog);
    expect((await call("POST", "mirrors/m/check-in", "I am fresh, believe me")).status).toBe(202);
    world.clock += 60_000;
    expect((await call("POST", "mirrors/m/check-in")).json).toEqual(first.json);
    expect((await readMirrors(catalog)).revision).toBe(revision);
    expect((await call("POST", "mirrors/none/check-in")).status).toBe(404);
  });

  test("that the operator has disabled can neither leave nor check in", async () => {
    await setMirrorState(world.tree.catalog, { name: "m", to: "disabled", reason: "abuse", actor: "operator" }, "now");
    for (const [method, path] of [
      ["DELETE", "mirrors/m"],
      ["POST", "mirrors/m/check-in"],
    ] as const) {
      world.clock += 60_000;
      const { status, json } = await call(method, path, undefined, bearer(TOKEN));
      expect([status, json.error.message]).toEqual([403, "the operator has disabled m: abuse"]);
    }
    expect(await stateOf("m")).toBe("disabled");
  });
});

test("who has opted out gets no client any more, from the very next request on", async () => {
  await setUp({ allowPrivateAddress: true });
  const mirror: TestMirror = await startMirror(world.tree.root);
  onTestFinished(() => mirror[Symbol.asyncDispose]());
  await world.tree.push({ repository: "fedora/app", tag: "40", layers: ["layer"] });
  await world.tree.publish(AMD64, 1);
  const declared = { name: "m", url: mirror.url, country: "JP", token: TOKEN };
  expect((await call("POST", "mirrors", JSON.stringify(declared))).status).toBe(201);
  await setMirrorState(world.tree.catalog, { name: "m", to: "active", reason: "checked", actor: "crawler" }, "now");
  world.network.follow(await readMirrors(world.tree.catalog));
  await world.refresh();
  // Another client each time: one that asks again says that it has been failed.
  const pull = async (agent: string) => {
    const { headers } = await world.get(`/v2/fedora/app/blobs/${digestOf("layer")}`, { "user-agent": agent });
    return headers["nearlayer-mirror"];
  };
  expect(await pull("one")).toBe("m; rank=country");
  expect(await pull("two")).toBe("m; rank=country");
  await call("DELETE", "mirrors/m", undefined, bearer(TOKEN));
  expect(await pull("three")).toMatch(/^(own|origin); rank=(?!failed)/);
});

describe("limits", () => {
  test("so many requests that write from one network in an hour; other networks are not held up", async () => {
    await setUp({ perHour: 3 });
    for (const name of ["a", "b", "c"]) expect((await call("POST", "mirrors", yaml(name))).status).toBe(201);
    const { status, headers, json } = await call("POST", "mirrors", yaml("d"));
    expect([status, json.error.code, headers["retry-after"]]).toEqual([429, "TOO_MANY", "1200"]);
    expect((await call("DELETE", "mirrors/a", undefined, bearer(TOKEN))).status).toBe(429);
    expect((await call("POST", "mirrors", yaml("d"), { "x-forwarded-for": "203.0.113.200" })).status).toBe(429);
    expect((await call("POST", "mirrors", yaml("d"), { "x-forwarded-for": GERMANY })).status).toBe(201);
    expect((await call("GET", "mirrors/a")).status).toBe(200);
    expect((await call("POST", "mirrors/a/check-in")).status).toBe(202);
    world.clock += 1_200_000;
    expect((await call("POST", "mirrors", yaml("e"))).status).toBe(201);
  });

  test("so many pending mirrors, until they run out of time", async () => {
    await setUp({ maxPending: 2, pendingFor: "1d" });
    for (const name of ["a", "b"]) await call("POST", "mirrors", yaml(name));
    const { status, headers, json } = await call("POST", "mirrors", yaml("c"));
    expect([status, json.error.code, headers["retry-after"]]).toEqual([503, "FULL", "3600"]);
    world.clock += 86_400_001;
    expect((await call("POST", "mirrors", yaml("c"))).status).toBe(201);
    expect((await readMirrors(world.tree.catalog)).names).toEqual(["c"]);
  });

  test("who has been pending for too long is taken out, and nobody else", async () => {
    await setUp({ pendingFor: "1d" });
    for (const name of ["a", "b"]) await call("POST", "mirrors", yaml(name));
    const { optIns, tree } = world;
    await setMirrorState(tree.catalog, { name: "b", to: "active", reason: "checked", actor: "crawler" }, "now");
    expect(await optIns.expire()).toEqual([]);
    world.clock += 86_400_001;
    expect(await optIns.expire()).toEqual(["a"]);
    expect((await readMirrors(tree.catalog)).names).toEqual(["b"]);
  });

  test("switched off, there is no API", async () => {
    await setUp({ api: false });
    expect(await call("POST", "mirrors", yaml("a"))).toMatchObject({ status: 404, json: { error: { code: "OFF" } } });
  });

  test("where the operator is asked, the mirror is told", async () => {
    await setUp({ policy: "approve" });
    const { json } = await call("POST", "mirrors", yaml("a"));
    expect(json.reason).toBe("opted in: waiting for its proof and the operator's approval");
  });

  test("under the mirror list's own name there are no mirrors", async () => {
    await setUp({}, { publicUrl: "https://registry.example.net" });
    const { json } = await call("POST", "mirrors", yaml("a").replace("a.example.net", "a.registry.example.net"));
    expect(json.error.message).toMatch("under the mirror list's own name (registry.example.net)");
  });
});

test.each([
  ["GET", "", 404],
  ["GET", "nothing", 404],
  ["GET", "mirrors", 405],
  ["POST", "mirrors/m", 405],
  ["GET", "mirrors/m/check-in", 405],
  ["GET", "mirrors/none", 404],
  ["GET", "mirrors/m/check-in/more", 404],
  ["GET", "mirrors/%2e%2e%2f", 404],
])("%s /api/%s is %d, in the one form of errors", async (method, path, status) => {
  await setUp();
  const answer = await call(method, path);
  expect(answer.status).toBe(status);
  expect(answer.json).toEqual({
    error: { code: expect.any(String), message: expect.any(String), hint: expect.any(String) },
  });
});
