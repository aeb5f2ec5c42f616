import { createHmac } from "node:crypto";
import { join } from "node:path";
import { tryLock } from "@nearlayer/syncer/store/kernel-lock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skopeoClient, skopeoCopy } from "../lib/clients/skopeo.ts";
import { type EventSite, secretFile, startEventSite } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import type { Listener } from "../lib/listener.ts";
import { syncer } from "../lib/nearlayer.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDS = ["registry", "nginx", "rsync", "skopeo"] as const;
const SECRET = "a secret of the registry's";

/** A real docker-registry that tells of its pushes, a local mirror, and everything between. */
describe("events from a registry and from webhooks", () => {
  let folder: TemporaryFolder;
  let site: EventSite;
  let listener: Listener | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder("hook");
    for (const name of NEEDS) if (await whyNot(name)) return;
    const file = await secretFile(folder.path, SECRET);
    site = await startEventSite({
      dir: folder.path,
      registryConfig: (url) => `notifications:
  endpoints:
    - name: nearlayer
      url: ${url}/hooks/registry
      headers: {Authorization: ["Bearer ${SECRET}"]}
      timeout: 2s
      threshold: 3
      backoff: 1s
`,
      events: {
        maxBody: 65_536,
        registry: { secretFile: file },
        webhooks: [{ name: "forge", secretFile: file, topicHeader: "X-GitHub-Event", idHeader: "X-GitHub-Delivery" }],
        retry: { first: "100ms", longest: "200ms", attempts: 3 },
        rules: [
          { use: "registry-push" },
          { topic: "webhook.forge.package", repository: "fedora/{/package/name}", tag: "{/package/version}" },
        ],
      },
      settings: { source: { repositories: ["fedora/**"] } },
    });
    await site.network.serve();
    listener = await site.listen();
  });

  afterAll(async () => {
    await listener?.stop();
    await site?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    fetch(`${site.url}${path}`, { method: "POST", body: Buffer.from(body), headers });
  const notify = (body: string | Buffer, secret = SECRET) =>
    post("/hooks/registry", body, { Authorization: `Bearer ${secret}` });
  const event = (id: string, repository: string, tag: string) =>
    JSON.stringify({ events: [{ id, action: "push", target: { repository, tag } }] });
  const statesOf = (name: string) =>
    site
      .journal()
      .filter(({ repository }) => repository === name)
      .map(({ state }) => state);
  const digestAt = async (url: string, repository: string, tag: string) => {
    const headers = { accept: "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json" };
    const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { method: "HEAD", headers });
    return answer.headers.get("docker-content-digest");
  };
  const keys = () => site.journal().map(({ key }) => key);

  test("what skopeo pushes is pullable through the mirror list, and from the mirror, by nobody's doing", async (context) => {
    await skipUnless(context, ...NEEDS);
    const { registry, mirrorlistUrl, mirrors } = site.network;
    const [image] = await Array.fromAsync(randomImages({ seed: "hook", count: 1, layers: 3, layerSize: 200_000 }));
    if (image === undefined) throw new Error("there is no image");
    await pushImage(registry.url, "staging/app", "1", image);
    const staged = `docker://${registry.host}/staging/app:1`;
    expectOk(await skopeoCopy(staged, `docker://${registry.host}/fedora/app:40`, { all: true }));
    const pushed = performance.now();
    await until(async () => (await site.statusOf("fedora/app", "40")) === 200, { what: "the image", within: 60_000 });
    const pullable = performance.now() - pushed;
    await site.network.untilFresh();
    console.log(
      `pullable ${Math.round(pullable)} ms after the push; at the mirror after ${Math.round(performance.now() - pushed)} ms`,
    );
    const client = await skopeoClient(await folder.at("client"));
    const mark = await mirrors.get("local")?.log.mark();
    expectOk(await client.pull(`${new URL(mirrorlistUrl).host}/fedora/app:40`, { platform: "linux/amd64" }));
    const fromMirror = (await mirrors.get("local")?.log.entries(mark)) ?? [];
    expect(fromMirror.filter(({ method, status }) => method === "GET" && status === 200)).toHaveLength(3);
    // Of what is not wanted, nothing was written down; nor was the pull of the sync itself, or of skopeo.
    expect(site.journal()).toMatchObject([{ source: "registry", repository: "fedora/app", tag: "40", state: "done" }]);
  });

  test("who does not know the secret is not heard", async (context) => {
    await skipUnless(context, ...NEEDS);
    expect((await notify(event("unsigned", "fedora/app", "40"), "guessed")).status).toBe(401);
    expect((await post("/hooks/registry", event("unsigned", "fedora/app", "40"))).status).toBe(401);
    expect((await fetch(`${site.url}/hooks/registry`)).status).toBe(405);
    expect((await post("/hooks/other", "{}")).status).toBe(404);
    expect(keys()).not.toContain("unsigned");
  });

  test("an event is there once, however often it is sent", async (context) => {
    await skipUnless(context, ...NEEDS);
    for (let index = 0; index < 3; index += 1) {
      expect((await notify(event("thrice", "fedora/app", "40"))).status).toBe(202);
    }
    expect(keys().filter((key) => key === "thrice")).toHaveLength(1);
  });

  test("what cannot be read is taken and parked, with its reason, and what comes after it is done", async (context) => {
    await skipUnless(context, ...NEEDS);
    expect((await notify("{ not JSON")).status).toBe(202);
    expect((await notify('{"evil": 1}')).status).toBe(202);
    expect((await notify(event("hostile", "../../etc/passwd", "40"))).status).toBe(202);
    expect((await notify(event("nul\u0000byte", "fedora/app", "4\u001b[31m0"))).status).toBe(202);
    expect((await notify(Buffer.alloc(100_000, " "))).status).toBe(202);
    expect((await notify(event("after", "fedora/app", "40"))).status).toBe(202);
    const rows = await site.untilSettled(7);
    expect(rows.filter(({ state }) => state === "parked").map(({ reason }) => reason)).toEqual([
      expect.stringContaining("is not JSON"),
      "the notification has no list of events",
      expect.stringContaining("not a repository name"),
      expect.stringContaining("not a tag"),
      expect.stringContaining("larger than events.maxBody"),
    ]);
    expect(rows.find(({ key }) => key === "after")?.state).toBe("done");
    expect((await listener?.metrics())?.nearlayer_events_parked).toBe(5);
  });

  test("what the source has not got is tried again, and parked in the end, where people find it", async (context) => {
    await skipUnless(context, ...NEEDS);
    const { config, registry } = site.network;
    await notify(event("missing", "fedora/later", "1"));
    const parked = await until(() => site.journal().find(({ key, state }) => key === "missing" && state === "parked"), {
      what: "the event to be parked",
    });
    expect(parked).toMatchObject({ attempts: 3, reason: expect.stringContaining("fedora/later") });
    const listed = await syncer(config, ["events", "list", "--json"]);
    const { events } = JSON.parse(listed.stdout) as { events: { id: number; key: string }[] };
    const id = String(events.find(({ key }) => key === "missing")?.id);
    expect((await syncer(config, ["events", "list"])).stdout).toContain("fedora/later:1");

    const [image] = await Array.fromAsync(randomImages({ seed: "later", count: 1 }));
    if (image === undefined) throw new Error("there is no image");
    await pushImage(registry.url, "fedora/later", "0", image);
    await pushImage(registry.url, "fedora/later", "1", image);
    expectOk(await syncer(config, ["events", "retry", id]));
    await until(() => site.journal().find(({ key, state }) => key === "missing" && state === "done"), {
      what: "the event to be done",
    });
    expect(await site.statusOf("fedora/later", "1")).toBe(200);
  });

  test("a tag that moves is followed, though the registry tells of it before it has moved", async (context) => {
    await skipUnless(context, ...NEEDS);
    const { registry, mirrorlistUrl } = site.network;
    for await (const image of randomImages({ seed: "moving", count: 12, layers: 1, layerSize: 1000 })) {
      await pushImage(registry.url, "fedora/moving", "latest", image);
      await until(async () => (await digestAt(mirrorlistUrl, "fedora/moving", "latest")) === image.digest, {
        what: "the tag to have moved",
      });
    }
    expect(
      site.journal().filter(({ repository, state }) => repository === "fedora/moving" && state === "parked"),
    ).toEqual([]);
  });

  test("an image is served while a target is still busy with what was before it", async (context) => {
    await skipUnless(context, ...NEEDS);
    const { registry, root } = site.network;
    await site.untilSettled(1);
    const lock = await tryLock(join(root, "store", "tree-lock"));
    if (lock === undefined) throw new Error("the tree is in use");
    try {
      let index = 0;
      for await (const image of randomImages({ seed: "busy", count: 2, layers: 1, layerSize: 1000 })) {
        const tag = String(index++);
        await pushImage(registry.url, "fedora/busy", tag, image);
        await until(async () => (await site.statusOf("fedora/busy", tag)) === 200, { what: "the image" });
      }
      expect(statesOf("fedora/busy")).toEqual(["waiting", "waiting"]);
    } finally {
      await lock[Symbol.asyncDispose]();
    }
    await until(() => statesOf("fedora/busy").every((state) => state === "done"), { what: "the events to be done" });
  });

  test("a signed webhook asks by a rule of one's own; another signature asks for nothing", async (context) => {
    await skipUnless(context, ...NEEDS);
    const body = JSON.stringify({ package: { name: "app", version: "40" } });
    const headers = (signed: string, id: string) => ({
      "X-GitHub-Event": "package",
      "X-GitHub-Delivery": id,
      "X-Hub-Signature-256": `sha256=${createHmac("sha256", SECRET).update(signed).digest("hex")}`,
    });
    expect((await post("/hooks/forge", body, headers("another body", "forged"))).status).toBe(401);
    expect((await post("/hooks/forge", body)).status).toBe(401);
    expect((await post("/hooks/forge", Buffer.alloc(100_000), headers(body, "large"))).status).toBe(413);
    expect((await post("/hooks/forge", body, headers(body, "signed"))).status).toBe(202);
    await until(() => site.journal().find(({ key, state }) => key === "signed" && state === "done"), {
      what: "the event to be done",
    });
    expect(keys()).not.toContain("forged");
  });

  test("a trigger hands over and returns; with --wait it tells how it ended", async (context) => {
    await skipUnless(context, ...NEEDS);
    const { config } = site.network;
    expect(expectOk(await syncer(config, ["trigger", "fedora/app:40"])).stdout).toContain("handed over");
    expect(expectOk(await syncer(config, ["trigger", "--wait", "fedora/app:40"])).stdout).toContain("done");
    const failed = await syncer(config, ["trigger", "--wait", "fedora/app:nothing"]);
    expect([failed.exitCode, failed.stdout]).toEqual([2, expect.stringContaining("parked")]);
    const left = await syncer(config, ["trigger", "debian/app"]);
    expect([left.exitCode, left.stderr]).toEqual([1, expect.stringContaining("leaves out debian/app")]);
  });

  test("the end that is asked for comes at once and in order", async (context) => {
    await skipUnless(context, ...NEEDS);
    await listener?.stop();
    expect((await listener?.log())?.at(-1)).toMatchObject({ msg: "stopping" });
  });
});
