import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parsePlatform } from "@nearlayer/shared/platform";
import { expect, onTestFinished, test } from "vitest";
import { AMD64, ARM64, NOW } from "../../testing/mirrors.ts";
import { pushIndex } from "../../testing/push-index.ts";
import { createWorld, GERMANY, type World } from "../../testing/world.ts";

const HTML = {
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  host: "registry.example.org",
};
const at = (minutesAgo: number) => new Date(NOW - minutesAgo * 60_000).toISOString();
const hour = (hoursAgo: number) => new Date(NOW - hoursAgo * 3_600_000).toISOString();

async function setUp(more: Record<string, Record<string, unknown>> = {}): Promise<World> {
  const world = await createWorld({ jp: { country: "JP", bandwidth: 2500 }, de: { country: "DE" }, ...more });
  onTestFinished(() => world[Symbol.asyncDispose]());
  const push = (tag: string, platform: typeof AMD64) =>
    world.tree.push({ repository: "fedora/app", tag, layers: ["shared", `${tag} ${platform}`], platforms: [platform] });
  for (const tag of ["9", "10", "latest"]) {
    const children = [await push(tag, AMD64), await push(tag, ARM64)];
    await pushIndex(world.tree, { repository: "fedora/app", tag, children });
  }
  await world.tree.publish(AMD64, 1);
  await world.tree.publish(ARM64, 1);
  await world.refresh();
  return world;
}

async function page(world: World, path: string, headers: Record<string, string> = {}) {
  const { status, headers: answered, body } = await world.get(path, { ...HTML, ...headers });
  const text = body.toString();
  return { status, headers: answered, text, words: text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ") };
}

test("the start says what there is, and how to pull it", async () => {
  const world = await setUp();
  const { status, words, text } = await page(world, "/");
  expect(status).toBe(200);
  expect(words).toMatch("docker pull registry.example.org/fedora/app");
  expect(words).toMatch("Mirrors in use 2 of 2 Countries 2");
  expect(words).toMatch("1 repository fedora/ app 3 tags");
  expect(text).toMatch('<a href="/r/fedora/app">');
});

test("a search finds names, and says when it finds none; other people's text stays text", async () => {
  const world = await setUp();
  await world.tree.push({ repository: "tools/web", tag: "1", layers: ["web"] });
  await world.refresh();
  expect((await page(world, "/?q=app")).words).toMatch("1 repository with “app” fedora/ app");
  expect((await page(world, "/?q=docker+pull+registry.example.org/tools/web:1")).text).toMatch('href="/r/tools/web"');
  const none = await page(world, `/?q=${encodeURIComponent('"><script>alert(1)</script>')}`);
  expect(none.words).toMatch("0 repositories with");
  expect(none.text).not.toMatch("<script>alert");
});

test("a repository has its tags with the newest first, their platforms and sizes", async () => {
  const { text, words } = await page(await setUp(), "/r/fedora/app");
  const tags = [...text.matchAll(/<a href="\/r\/fedora\/app:([^"]*)">/g)].map(([, tag]) => tag);
  expect(tags).toEqual(["latest", "10", "9"]);
  expect(words).toMatch(/latest linux\/amd64 linux\/arm64 – \d+ B sha256:/);
});

test("an image says how each client pulls it, and how many mirrors carry each layer", async () => {
  const world = await setUp();
  const { words } = await page(world, "/r/fedora/app:10");
  for (const command of [
    "docker pull registry.example.org/fedora/app:10",
    "podman pull --tls-verify=false registry.example.org/fedora/app:10",
    "skopeo copy --src-tls-verify=false docker://registry.example.org/fedora/app:10 oci-archive:fedora-app-10.tar",
    "ctr images pull --plain-http registry.example.org/fedora/app:10",
  ]) {
    expect(words).toMatch(command);
  }
  const layer = digestOf(Buffer.from("10 linux-arm64"));
  expect(words).toMatch(`${layer} 14 B 2 of 2`);
  // A mirror that has gone carries nothing, as a redirect would find.
  const { de } = world.mirrors;
  if (de === undefined) throw new Error("there is no de");
  de.fault = (_, response) => {
    response.writeHead(500).end();
    return true;
  };
  world.clock += 10_000;
  await world.refresh();
  expect((await page(world, "/r/fedora/app:10")).words).toMatch(`${layer} 14 B 1 of 2`);
});

test("over TLS, commands need no flags", async () => {
  const { words } = await page(await setUp(), "/r/fedora/app:10", { "x-forwarded-proto": "https" });
  expect(words).toMatch("podman pull registry.example.org/fedora/app:10");
});

test("an image that is signed says so", async () => {
  const world = await setUp();
  const signed = await world.tree.push({ repository: "fedora/app", tag: "signed", layers: ["signed"] });
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  await world.tree.push({
    ...{ repository: "fedora/app", tag: "signature", layers: ["s"], artifactType: "application/vnd.dev.cosign.x" },
    subject: { mediaType, digest: signed.digest, size: signed.bytes.length },
  });
  await world.refresh();
  expect((await page(world, "/r/fedora/app:signed")).words).toMatch("signature present ( 1 attachment )");
  expect((await page(world, "/r/fedora/app:10")).words).toMatch("no signature here");
});

test("mirrors: the map, and a table that links sort", async () => {
  const world = await setUp();
  const day = { hour: hour(1), bytes: 1 };
  await world.tree.catalog
    .insertInto("redirectHour")
    .values([
      { mirror: "jp", redirects: 3, ...day },
      { mirror: "de", redirects: 1, ...day },
      { mirror: "jp", redirects: 1000, hour: hour(25), bytes: 1 },
    ])
    .execute();
  const { text, words } = await page(world, "/mirrors");
  expect(
    text.match(/<g class="mark active" transform="translate\([\d.]+ [\d.]+\)"><title>(jp|de): active/g),
  ).toHaveLength(2);
  expect(words).toMatch("jp Japan 2.5 Gbit/s active none 75 %");
  const order = async (query: string) =>
    [...(await page(world, `/mirrors?${query}`)).text.matchAll(/<th scope="row"><a href="\/mirrors\/(\w+)"/g)].map(
      ([, name]) => name,
    );
  expect(await order("sort=name")).toEqual(["de", "jp"]);
  expect(await order("sort=bandwidth")).toEqual(["jp", "de"]);
  expect(await order("sort=share&order=asc")).toEqual(["de", "jp"]);
  expect(await order("sort=%3Cscript%3E")).toEqual(["de", "jp"]);
  expect((await world.get("/mirrors.txt")).body.toString()).toBe("127.0.0.1\n");
  const { mirrors } = JSON.parse((await world.get("/mirrors.json")).body.toString());
  expect(mirrors[0]).toMatchObject({ name: "jp", state: "active", lag: 0, share: 0.75 });
});

test("how far behind a mirror is: since the first generation that it lacks", async () => {
  const world = await setUp();
  const generation = { platform: AMD64, time: at(7), files: 1, bytes: 1, listSha256: "0".repeat(64) as never };
  await world.tree.catalog
    .insertInto("generation")
    .values({ ...generation, number: 2 })
    .execute();
  await world.tree.catalog
    .insertInto("generation")
    .values({ ...generation, number: 3, time: at(2) })
    .execute();
  await world.tree.catalog.updateTable("meta").set({ value: 99 }).where("key", "=", "revision").execute();
  await world.refresh();
  const { mirrors } = JSON.parse((await world.get("/mirrors.json")).body.toString());
  expect(mirrors[0]).toMatchObject({
    lag: 7 * 60,
    platforms: [
      { behind: 2, lag: 7 * 60 },
      { behind: 0, lag: 0 },
    ],
  });
  expect((await page(world, "/mirrors/jp")).words).toMatch("2 (7 min)");
});

test("one mirror: its plot, changes and checks", async () => {
  const world = await setUp();
  const { catalog } = world.tree;
  for (const hoursAgo of [0, 1, 2, 30]) {
    const probes = { probes: 100, failed: hoursAgo === 2 ? 8 : 0, lagSeconds: hoursAgo === 1 ? 1800 : 0 };
    await catalog
      .insertInto("mirrorHour")
      .values({ mirror: "jp", hour: hour(hoursAgo), ...probes })
      .execute();
  }
  await catalog
    .insertInto("mirrorChange")
    .values({ mirror: "jp", at: at(90), fromState: "checking", toState: "active", reason: "passed", actor: "crawler" })
    .execute();
  await catalog
    .insertInto("mirrorAudit")
    .values({ mirror: "jp", at: at(9), platform: AMD64, kind: "hash", digest: "x" as Digest, ok: 0, detail: "wrong" })
    .execute();
  const { words, text } = await page(world, "/mirrors/jp");
  expect(words).toMatch("In the last seven days 98 % of 400 probes were answered well; the longest lag was 30 min.");
  expect(words).toMatch("1 h 30 min ago checking active passed crawler");
  expect(words).toMatch("9 min ago a whole blob linux-amd64 x bad wrong");
  expect(text).toMatch("2026-11-22 10:00 UTC: 92 of 100 probes, lag 0 s");
  expect(text.match(/<rect class="bad"/g)).toHaveLength(1);
  expect((await page(world, "/mirrors/nobody")).status).toBe(404);
});

/** A mirror that has opted in by itself comes to be known. */
function optIn(world: World, name: string, state: MirrorState, declared: Record<string, unknown> = {}): void {
  const declaration = JSON.stringify({ name, url: `https://${name}.example.org/`, country: "FR", ...declared });
  const record = {
    name,
    declaration,
    declaredBy: "mirror",
    state,
    reason: `why ${state}`,
    stateSince: at(60),
  } as const;
  const more = { proof: "0", createdAt: at(60), approvedAt: null, probeWantedAt: null, revision: 1 };
  const names = [...world.network.mirrors().map((mirror) => mirror.name), name];
  world.network.follow({ revision: 1, changed: [{ ...record, ...more }], names });
}

test("who has not shown whose a mirror is stands in no list, and sees by its page what is missing", async () => {
  const world = await setUp();
  optIn(world, "waiting", "pending");
  for (const path of ["/mirrors", "/mirrors.json", "/mirrors.txt", "/explain?image=fedora/app"]) {
    expect((await page(world, path)).text).not.toMatch("waiting");
  }
  const { status, words, text } = await page(world, "/mirrors/waiting");
  expect(status).toBe(200);
  expect(words).toMatch(/pending .* Why why pending Since 1 h ago/);
  expect(text).not.toMatch("waiting.example.org");
});

test("hosts for firewalls: of all who take part, also while they are out of use", async () => {
  const world = await setUp();
  for (const state of ["stale", "unreachable", "quarantined", "disabled", "checking"] as const)
    optIn(world, state, state);
  optIn(world, "campus", "active", { private: true, netblocks: ["192.0.2.0/24"] });
  expect((await page(world, "/mirrors.txt")).text.trim().split("\n")).toEqual([
    ...["127.0.0.1", "checking.example.org", "quarantined.example.org", "stale.example.org", "unreachable.example.org"],
  ]);
  expect((await page(world, "/mirrors")).words).toMatch("stale France 100 Mbit/s stale why stale – –");
});

test("where a private mirror is stays out of everything that is said of it", async () => {
  const secrets = /campus\.example|192\.0\.2\.|45\.123/;
  const world = await setUp();
  optIn(world, "campus", "unreachable", {
    ...{ url: "https://mirror.campus.example/", private: true, netblocks: ["192.0.2.0/24"] },
    ...{ latitude: 45.123, longitude: 3.2 },
  });
  world.network.record("campus", [
    { platform: AMD64, at: NOW, failure: { kind: "network", message: "connect ECONNREFUSED 192.0.2.9:443" } },
  ]);
  await world.tree.catalog
    .insertInto("mirrorAudit")
    .values({
      ...{ mirror: "campus", at: at(9), platform: AMD64, kind: "proof", digest: null },
      ...{ ok: 0, detail: "https://mirror.campus.example/nearlayer-mirror.txt: 404" },
    })
    .execute();
  for (const path of ["/mirrors", "/mirrors.json", "/mirrors/campus", "/explain?image=fedora/app"]) {
    expect((await page(world, path)).text).not.toMatch(secrets);
  }
  expect((await world.get("/explain?image=fedora/app")).body.toString()).not.toMatch(secrets);
  expect((await page(world, "/mirrors/campus")).words).toMatch(
    /connect ECONNREFUSED … .* proof of control .* bad …: 404/,
  );
});

test("what a mirror shows and what counts of it are told apart, with the reason", async () => {
  const world = await setUp();
  const doubt = "lacks a blob that is new in it";
  world.network.record("jp", [{ platform: AMD64, at: NOW, seenAt: NOW, generation: 1, shown: 4, doubt }]);
  expect((await page(world, "/mirrors/jp")).words).toMatch(`linux-amd64 fresh 1 4 0 just now ${doubt}`);
});

test("a badge that other pages may show", async () => {
  const { status, headers, text } = await page(await setUp(), "/mirrors/jp/badge.svg");
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("image/svg+xml");
  expect(text).toMatch("nearlayer mirror: active");
});

test("/explain is JSON, but a page for a browser, and what `format` says for all", async () => {
  const world = await setUp();
  const path = "/explain?image=fedora/app:10&ip=203.0.113.1";
  const json = await world.get(path, { accept: "*/*" });
  expect([json.headers["content-type"], json.headers.vary]).toEqual(["application/json", "Accept"]);
  expect((await world.get(path)).headers["content-type"]).toBe("application/json");
  expect((await page(world, `${path}&format=json`)).headers["content-type"]).toBe("application/json");
  const { words, headers } = await page(world, path);
  expect(headers["content-type"]).toMatch("text/html");
  expect(headers.vary).toBe("Accept");
  expect(words).toMatch(/1 jp same country Japan 0 km linux-amd64, [\d.]+ 2 de far Germany/);
  expect((await world.get(`${path}&format=html`, { accept: "*/*" })).headers["content-type"]).toMatch("text/html");
});

test("/explain asks for what it needs, says what is wrong, and takes the asker's address", async () => {
  const world = await setUp();
  expect((await page(world, "/explain")).status).toBe(200);
  expect((await page(world, "/explain?image=fedora/app&ip=")).words).toMatch("203.0.113.7 as all of 203.0.113.0/24");
  const german = await page(world, "/explain?image=fedora/app", { "x-forwarded-for": GERMANY });
  expect(german.words).toMatch("→ de");
  const wrong = await page(world, `/explain?image=nowhere&ip=${encodeURIComponent("<script>")}`);
  expect(wrong.status).toBe(400);
  expect(wrong.words).toMatch("ip is not an address: &lt;script&gt;");
  const unknown = await page(world, "/explain?image=nowhere");
  expect([unknown.status, /role="alert">no such repository here: nowhere/.test(unknown.text)]).toEqual([404, true]);
});

test.each([
  "/",
  "/?q=app",
  "/r/fedora/app",
  "/r/fedora/app:10",
  "/mirrors",
  "/mirrors/jp",
  "/explain?image=fedora/app",
  "/nowhere",
])("%s: nothing is loaded from elsewhere, and no header is missing", async (path) => {
  const { headers } = await page(await setUp(), path);
  expect(headers["content-security-policy"]).toMatch("default-src 'none'");
  expect(headers["content-security-policy"]).toMatch("frame-ancestors 'none'");
  expect(headers["content-security-policy"]).not.toMatch("unsafe");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["referrer-policy"]).toBe("no-referrer");
});

test("a page is kept for a moment, and 304 says that it is the same", async () => {
  const world = await setUp();
  const first = await page(world, "/mirrors");
  expect(first.headers["cache-control"]).toBe("public, max-age=5");
  const etag = first.headers.etag ?? "";
  expect((await page(world, "/mirrors", { "if-none-match": etag })).status).toBe(304);
  await world.tree.push({ repository: "another", tag: "1", layers: ["x"] });
  await page(world, "/");
  await world.refresh();
  expect((await page(world, "/")).words).toMatch("1 repository");
  world.clock += 2000;
  expect((await page(world, "/")).words).toMatch("2 repositories");
});

test("what is not there is a page for people and JSON for programs", async () => {
  const world = await setUp();
  for (const path of [
    "/nowhere",
    "/r/nowhere",
    "/r/fedora/app:11",
    "/r/%3Cscript%3E",
    "/r/%",
    "/mirrors/%3Cscript%3E",
  ]) {
    const { status, headers, text } = await page(world, path);
    expect([path, status, headers["content-type"]]).toEqual([path, 404, "text/html; charset=utf-8"]);
    expect(text).not.toMatch("<script>");
  }
  const json = await world.get("/nowhere", { accept: "*/*" });
  expect([json.status, JSON.parse(json.body.toString()).errors[0].code]).toEqual([404, "UNSUPPORTED"]);
  expect((await world.get("/", { ...HTML }, "POST")).status).toBe(405);
});

test("while the catalog is away the pages go on from memory, and say what is missing", async () => {
  const world = await setUp();
  await world.loseCatalog();
  for (const path of ["/", "/mirrors", "/mirrors/jp"]) {
    const { status, words } = await page(world, path);
    expect([path, status, /The catalog cannot be read just now/.test(words)]).toEqual([path, 200, true]);
  }
  expect((await page(world, "/mirrors")).words).toMatch("jp Japan 2.5 Gbit/s active");
  expect((await page(world, "/r/fedora/app:10")).status).toBe(200);
  expect((await world.get("/mirrors.json")).status).toBe(200);
});

test("what a mirror, an image or the catalog says is text, whatever it says", async () => {
  const evil = '"><img src=x onerror=alert(1)><script>alert(1)</script>';
  const world = await setUp();
  const { catalog } = world.tree;
  world.network.record("de", [
    { platform: parsePlatform("linux-amd64"), at: NOW, failure: { kind: "invalid", message: evil } },
  ]);
  await catalog
    .insertInto("mirrorChange")
    .values({
      mirror: "de",
      at: evil,
      fromState: evil as never,
      toState: evil as never,
      reason: evil,
      actor: evil as never,
    })
    .execute();
  await catalog
    .insertInto("mirrorAudit")
    .values({
      ...{ mirror: "de", at: evil, platform: evil as never, kind: evil as never, digest: evil as Digest },
      ...{ ok: 0, detail: evil },
    })
    .execute();
  await catalog
    .insertInto("tag")
    .values({ repository: "fedora/app" as never, name: evil as never, digest: digestOf("x") })
    .execute();
  for (const path of [
    "/",
    "/mirrors",
    "/mirrors/de",
    "/r/fedora/app",
    "/explain?image=fedora/app",
    `/?q=${encodeURIComponent(evil)}`,
  ]) {
    const { text } = await page(world, path);
    expect(text).not.toMatch("<img src=x");
    expect(text).not.toMatch("<script>alert");
  }
  expect((await page(world, "/mirrors/de")).text.match(/&lt;script&gt;alert\(1\)/g)?.length).toBeGreaterThan(7);
});
