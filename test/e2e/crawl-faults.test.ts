import { once } from "node:events";
import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AMD64 } from "@nearlayer/mirrorlist/testing/mirrors";
import { createTree, type PushedImage, type Tree } from "@nearlayer/mirrorlist/testing/tree";
import { formatGeneration, sha256Hex } from "@nearlayer/shared/generation";
import { createSigner, generateKey, signNote, verifierLine } from "@nearlayer/shared/note";
import { generationName, pubBlobName, pubDir } from "@nearlayer/shared/tree";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Crawled, type MirrorSeen, pullTree, startCrawled } from "../lib/crawled.ts";
import { type Mirror, startMirror } from "../lib/peers/mirror.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { run } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDED = ["nginx", "rsync"] as const;
const GENERATION = generationName(AMD64);

const amd64 = ({ platforms }: MirrorSeen) => platforms.find(({ platform }) => platform === AMD64);
const isActive = ({ state }: MirrorSeen) => state === "active";

/** A server of a hostile mirror's own making. */
async function hostile(listener: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(listener);
  return open(server, () => server.closeAllConnections());
}

async function hostileTcp(
  onSocket: (socket: Socket) => void,
  scheme = "http",
): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  return open(server, () => sockets.forEach((socket) => void socket.destroy()), scheme);
}

async function open(server: Server, end: () => void, scheme = "http") {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.close();
    end();
  };
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

describe("mirrors with real servers that begin well", () => {
  let folder: TemporaryFolder;
  let tree: Tree;
  let crawled: Crawled;
  const mirrors = new Map<string, Mirror>();
  let [first, second]: PushedImage[] = [];
  const cleanUp = new AsyncDisposableStack();

  /** Those of the first tests, and what each adds to its server. */
  const NAMES: Readonly<Record<string, readonly string[]>> = {
    good: [],
    stale: [],
    partial: [],
    truncated: [],
    corrupt: [],
    encoding: ["location ~ /blobs/ { add_header Content-Encoding gzip; }"],
    forbidden: ["location ~ /blobs/ { return 401; }"],
    lying: [],
    raced: [],
    dying: [],
  };

  beforeAll(async () => {
    folder = await temporaryFolder("crawl-faults");
    for (const name of NEEDED) if (await whyNot(name)) return;
    tree = cleanUp.use(await createTree());
    first = await tree.push({ repository: "test/app", tag: "1", layers: ["one", "x".repeat(5000)] });
    await tree.publish(AMD64, 1);
    for (const [name, server] of Object.entries(NAMES)) {
      const mirror = cleanUp.use(await startMirror({ name, dir: await folder.at(name), server }));
      await pullTree(pubDir(tree.root), mirror.root);
      mirrors.set(name, mirror);
    }
    const declared = [...mirrors].map(([name, { url }]) => ({ name, url, platforms: [AMD64] }));
    crawled = cleanUp.use(await startCrawled({ dir: folder.path, tree, mirrors: declared }));
    for (const name of mirrors.keys()) {
      if (name !== "encoding" && name !== "forbidden") await crawled.untilSeen(name, isActive);
    }
  });
  afterAll(async () => {
    await cleanUp.disposeAsync();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, ...NEEDED));

  const at = (name: string): Mirror => {
    const mirror = mirrors.get(name);
    if (mirror === undefined) throw new Error(`no mirror ${name}`);
    return mirror;
  };
  const layerOf = (image: PushedImage | undefined) => image?.layers[1] ?? image?.layers[0] ?? first?.config;
  const blobPath = (name: string) => join(at(name).root, pubBlobName(AMD64, layerOf(first) as never));

  test("a false Content-Encoding is found at the first check, and the mirror is quarantined before anybody is sent there", async () => {
    const { reason } = await crawled.untilSeen("encoding", ({ state }) => state === "quarantined");
    expect(reason).toMatch(/^linux-amd64: sha256:[0-9a-f]+ adds Content-Encoding: gzip$/);
  });

  test("one that forbids its blobs does not pass its first check", async () => {
    const { reason } = await crawled.untilSeen("forbidden", ({ reason }) => /answers 401/.test(reason ?? ""));
    expect(reason).toMatch(/shows generation 1, and sha256:[0-9a-f]+ answers 401 for the blob$/);
    expect((await crawled.untilSeen("forbidden", () => true)).state).toBe("checking");
  });

  test("a truncated blob quarantines, with its length", async () => {
    await truncate(blobPath("truncated"), 4000);
    const { reason } = await crawled.untilSeen("truncated", ({ state }) => state === "quarantined");
    expect(reason).toMatch(/has 4000 bytes of 5000$/);
  });

  test("other bytes quarantine; once they are right again, audits in a row release the mirror", async () => {
    const right = await readFile(blobPath("corrupt"));
    await rm(blobPath("corrupt"));
    await writeFile(
      blobPath("corrupt"),
      right.map((byte) => byte ^ 1),
    );
    const { reason } = await crawled.untilSeen("corrupt", ({ state }) => state === "quarantined");
    expect(reason).toMatch(/has other bytes/);
    // Nobody is sent there meanwhile.
    const explained = (await (
      await fetch(`${crawled.url}/explain?image=test/app:1&ip=202.232.2.1`, { headers: { accept: "application/json" } })
    ).text()) as string;
    expect(explained).toContain("quarantined");
    await writeFile(blobPath("corrupt"), right);
    const released = await crawled.untilSeen("corrupt", isActive, 40_000);
    expect(released.reason).toMatch(/audits in a row without fault$/);
  });

  test("a blob that is missing takes the mirror back to the generation before it, until it is there again", async () => {
    const path = blobPath("partial");
    const bytes = await readFile(path);
    await rm(path);
    const found = await crawled.untilSeen("partial", (mirror) => amd64(mirror)?.doubt !== undefined);
    expect(amd64(found)).toMatchObject({
      generation: 0,
      shown: 1,
      doubt: expect.stringMatching(/answers 404 for the blob$/),
    });
    await writeFile(path, bytes);
    await crawled.untilSeen(
      "partial",
      (mirror) => amd64(mirror)?.generation === 1 && amd64(mirror)?.doubt === undefined,
    );
  });

  test("a mirror that stops to answer is unreachable, and back as soon as it answers", async () => {
    const { port, root } = at("dying");
    await at("dying").stop();
    const { reason } = await crawled.untilSeen("dying", ({ state }) => state === "unreachable");
    expect(reason).toBe("linux-amd64: refuses connections");
    const again = await startMirror({ name: "again", dir: await folder.at("again"), port, root });
    cleanUp.use(again);
    await crawled.untilSeen("dying", isActive, 30_000);
  });

  test("a raced mirror, whose rsync ran while the master published, counts for what it has", async () => {
    // A large file keeps rsync at work while the next generation is published.
    const large = await tree.push({ repository: "test/large", tag: "1", layers: ["z".repeat(6_000_000)] });
    await tree.publish(AMD64, 2);
    const racing = pullTree(pubDir(tree.root), at("raced").root, "--bwlimit=3000");
    await sleep(700);
    second = await tree.push({ repository: "test/app", tag: "2", layers: ["two", "y".repeat(6000)] });
    await tree.publish(AMD64, 3);
    await racing;
    const shown = await readFile(join(at("raced").root, GENERATION), "utf8");
    expect(shown).toContain("number: 3");
    expect(large.layers).toHaveLength(1);
    const found = await crawled.untilSeen("raced", (mirror) => amd64(mirror)?.shown === 3);
    expect(amd64(found)).toMatchObject({
      generation: 2,
      state: "behind",
      doubt: expect.stringMatching(/^shows generation 3, and/),
    });
    await pullTree(pubDir(tree.root), at("raced").root);
    await crawled.untilSeen("raced", (mirror) => amd64(mirror)?.generation === 3 && isActive(mirror));
  });

  test("a lying mirror, with a new GENERATION over old blobs, keeps what it had", async () => {
    await cp(join(crawled.pub, GENERATION), join(at("lying").root, GENERATION));
    const found = await crawled.untilSeen("lying", (mirror) => amd64(mirror)?.shown === 3);
    expect(amd64(found)).toMatchObject({ generation: 1, doubt: expect.stringMatching(/answers 404 for the blob$/) });
  });

  test("one that stays behind is stale, and still serves what it has", async () => {
    const found = await crawled.untilSeen("stale", ({ state }) => state === "stale");
    expect(found.reason).toMatch(/^linux-amd64: at generation 1 of 3, behind since 2026-/);
    const response = await fetch(`${crawled.url}/v2/test/app/blobs/${second?.layers[0]}`, {
      redirect: "manual",
      headers: { "x-forwarded-for": "202.232.2.1" },
    });
    expect(response.headers.get("nearlayer-mirror")).toMatch(/^raced;/);
  });
});

describe("mirrors that were never any", () => {
  const endless = Buffer.alloc(65_536, "n");
  const pump: RequestListener = (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(endless));
    };
    response.on("drain", more);
    more();
  };
  let folder: TemporaryFolder;
  let crawled: Crawled;
  const cleanUp = new AsyncDisposableStack();
  const signer = createSigner("example", generateKey());
  const stranger = createSigner("example", generateKey());
  const sent = new Map<string, number>();

  beforeAll(async () => {
    folder = await temporaryFolder("crawl-hostile");
    const tree = cleanUp.use(await createTree());
    await tree.push({ repository: "test/app", tag: "1", layers: ["one"] });
    await tree.publish(AMD64, 1);
    const text = formatGeneration({
      ...{ platform: AMD64, number: 1, time: "2026-11-22T12:00:00Z", files: 1, bytes: 1 },
      listSha256: sha256Hex(`${AMD64} 1`),
    });
    const headers = Buffer.from(`HTTP/1.1 200 OK\r\n${"x-flood: 0123456789\r\n".repeat(1000)}`);
    const flood = (socket: Socket) => {
      const timer = setInterval(() => {
        if (socket.writableLength < 1e6) sent.set("flood", (sent.get("flood") ?? 0) + Number(socket.write(headers)));
      }, 1);
      socket.on("close", () => clearInterval(timer));
    };
    const servers = {
      loop: await hostile((request, response) => response.writeHead(302, { location: request.url }).end()),
      elsewhere: await hostile((_, response) => response.writeHead(307, { location: "http://169.254.169.254/" }).end()),
      huge: await hostile(
        (_, response) => void response.writeHead(200, { "content-length": 10 * 2 ** 30 }).write(endless),
      ),
      endless: await hostile(pump),
      errors: await hostile((request, response) => pump(request, response.writeHead(500))),
      bomb: await hostile((_, response) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end(Buffer.alloc(900, 31)),
      ),
      slow: await hostile((_, response) => {
        const timer = setInterval(() => response.write("n"), 100);
        response.on("close", () => clearInterval(timer));
      }),
      silent: await hostileTcp(() => undefined),
      flood: await hostileTcp(flood),
      garbage: await hostileTcp((socket) => void socket.end("\0\xff not HTTP at all\r\n\r\n")),
      tls: await hostileTcp((socket) => void socket.end(Buffer.alloc(1000, 0x16)), "https"),
      unsigned: await hostile((_, response) => response.end(text)),
      stranger: await hostile((_, response) => response.end(signNote(text, stranger))),
      good: await hostile(async (request, response) => {
        if (request.url?.endsWith("GENERATION")) return void response.end(signNote(text, signer));
        const bytes = await readFile(join(pubDir(tree.root), request.url ?? "")).catch(() => undefined);
        response.writeHead(bytes === undefined ? 404 : 200, { "content-length": bytes?.length ?? 0 }).end(bytes);
      }),
    };
    for (const { close } of Object.values(servers)) cleanUp.defer(close);
    const mirrors = [
      ...Object.entries(servers).map(([name, { url }]) => ({ name, url })),
      { name: "private", url: servers.good.url, allowPrivateAddress: false },
      { name: "named", url: servers.good.url.replace("127.0.0.1", "localhost"), allowPrivateAddress: false },
    ];
    const crawler = { verifiers: [verifierLine(signer)] };
    crawled = cleanUp.use(await startCrawled({ dir: folder.path, tree, mirrors, crawler }));
  });
  afterAll(async () => {
    await cleanUp.disposeAsync();
    await folder[Symbol.asyncDispose]();
  });

  test.each([
    ["loop", /answers 302 for its GENERATION$/],
    ["elsewhere", /answers 307 for its GENERATION$/],
    ["huge", /GENERATION is larger than 1024 bytes$/],
    ["endless", /GENERATION is larger than 1024 bytes$/],
    ["errors", /answers 500 for its GENERATION$/],
    ["bomb", /GENERATION does not begin with/],
    ["slow", /does not answer in time$/],
    ["silent", /does not answer in time$/],
    ["flood", /Header/],
    ["garbage", /HTTP|Parse/i],
    ["tls", /SSL|TLS|packet|record/i],
    ["unsigned", /GENERATION is not signed by example$/],
    ["stranger", /GENERATION is not signed by example$/],
    ["private", /is a private or loopback address/],
    ["named", /is a private or loopback address/],
  ])("%s is found, with the reason", async (name, reason) => {
    const found = await crawled.untilSeen(name, (mirror) => reason.test(mirror.reason ?? ""), 30_000);
    expect(amd64(found)).toMatchObject({ failure: expect.stringMatching(reason) });
    expect(found.state).toBe("checking");
  });

  test("and none of them keeps the good one waiting, or the server from answering", async () => {
    await crawled.untilSeen("good", isActive);
    expect((await fetch(`${crawled.url}/readyz`)).status).toBe(200);
    // Some rounds of all of them later it is as large as before.
    await sleep(3000);
    const { stdout } = await run("ps", ["-o", "rss=", "-p", String(crawled.daemon.pid)]);
    expect(Number(stdout)).toBeLessThan(600_000);
    expect((await crawled.untilSeen("good", isActive)).state).toBe("active");
  });
});
