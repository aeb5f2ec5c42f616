import type { Socket } from "node:net";
import { createRandom } from "@nearlayer/mirrorlist/testing/random";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { until } from "../lib/process/until.ts";
import { ask, exchange, openSocket, parseAnswers } from "../lib/raw-http.ts";
import { type Serving, startServing } from "../lib/serving.ts";

const HEAD = "Host: r\r\nConnection: close\r\n\r\n";
const LIMITS = { connections: 200, headersTimeout: "1s", requestTimeout: "2s", stallTimeout: "1s" };

/** What must not hurt: bytes that are no request, requests that mean harm, and connections that ask for nothing. */
describe("hostile clients", () => {
  let folder: TemporaryFolder;
  let serving: Serving;
  let path: string;

  beforeAll(async () => {
    folder = await temporaryFolder("hostile");
    serving = await startServing(folder.path, { limits: LIMITS });
    const { digest } = await serving.push({ repository: "fedora/app", tag: "40", layers: ["one"] });
    path = `/v2/fedora/app/manifests/${digest}`;
    await until(async () => (await fetch(`${serving.url}${path}`)).status === 200, { what: "the image to be served" });
  });
  afterAll(async () => {
    await serving?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const stillServes = async () => expect((await fetch(`${serving.url}${path}`)).status).toBe(200);

  test.each([
    ["traversal", "GET /v2/../../etc/passwd HTTP/1.1", 400, "NAME_INVALID"],
    ["traversal, encoded", "GET /v2/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", 400, "NAME_INVALID"],
    ["traversal in a digest", "GET /v2/a/blobs/sha256:../../x HTTP/1.1", 400, "NAME_INVALID"],
    ["broken percent-encoding", "GET /v2/a%zz/tags/list HTTP/1.1", 400, "NAME_INVALID"],
    ["a path of 10 KB", `GET /v2/${"a".repeat(10_000)}/tags/list HTTP/1.1`, 400, "NAME_INVALID"],
    ["a path of 100 KB", `GET /v2/${"a".repeat(100_000)}/tags/list HTTP/1.1`, 414, "UNSUPPORTED"],
    ["headers of 100 KB", `GET /v2/ HTTP/1.1\r\nX: ${"a".repeat(100_000)}`, 431, "UNSUPPORTED"],
    ["a method that there is not", "STEAL /v2/ HTTP/1.1", 400, "UNSUPPORTED"],
    ["a version that there is not", "GET /v2/ HTTP/7.0", 400, "UNSUPPORTED"],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01", 400, "UNSUPPORTED"],
    ["two lengths", "GET /v2/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400, "UNSUPPORTED"],
    [
      "a length and chunks",
      "POST /v2/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
      400,
      "UNSUPPORTED",
    ],
    ["a wish that there is not", "GET /v2/ HTTP/1.1\r\nExpect: wonders", 417, "UNSUPPORTED"],
    ["an upload", "PUT /v2/a/manifests/1 HTTP/1.1", 405, "UNSUPPORTED"],
    ["an upload to elsewhere", "PUT /healthz HTTP/1.1", 405, "UNSUPPORTED"],
    ["options", "OPTIONS /v2/ HTTP/1.1", 405, "UNSUPPORTED"],
    ["options of everything", "OPTIONS * HTTP/1.1", 405, "UNSUPPORTED"],
  ])("%s: the right status, and the specification's error", async (_, head, status, code) => {
    const [answer, ...more] = await ask(serving.port, `${head}\r\n${HEAD}`);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ status, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ errors: [{ code, message: expect.any(String) }] });
    if (status === 405) expect(answer?.headers.allow).toBe("GET, HEAD");
    await stillServes();
  });

  test("a request without a Host is refused, but not of HTTP/1.0", async () => {
    const [modern] = await ask(serving.port, "GET /v2/ HTTP/1.1\r\n\r\n");
    expect(modern).toMatchObject({ status: 400, headers: { connection: "close" } });
    expect(JSON.parse(modern?.body ?? "")).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
    const [old] = await ask(serving.port, "GET /v2/ HTTP/1.0\r\n\r\n");
    expect(old).toMatchObject({ status: 200, body: "{}", headers: { connection: "close" } });
  });

  test.each([
    ["absolute form", `GET http://elsewhere${"PATH"} HTTP/1.1\r\n${HEAD}`],
    ["a body on GET", `GET PATH HTTP/1.1\r\nContent-Length: 5\r\n${HEAD}hello`],
    ["a body on GET, in chunks", `GET PATH HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${HEAD}5\r\nhello\r\n0\r\n\r\n`],
    ["Expect: 100-continue", `GET PATH HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n${HEAD}`],
  ])("%s is answered all the same", async (_, request) => {
    const answers = await ask(serving.port, request.replace("PATH", path));
    expect(answers.map(({ status }) => status)).toEqual([200]);
  });

  test("pipelined requests are answered in their order, and rubbish behind them last", async () => {
    const one = (target: string) => `GET ${target} HTTP/1.1\r\nHost: r\r\n\r\n`;
    const unknown = "/v2/fedora/app/manifests/none";
    const text = await exchange(serving.port, `${one("/v2/")}${one(unknown)}${one(path)}RUBBISH\r\n\r\n`);
    expect(parseAnswers(text).map(({ status }) => status)).toEqual([200, 404, 200, 400]);
  });

  test("whoever is not trusted is not believed about where they come from", async () => {
    const forged = await startServing(await folder.at("forged"), {
      trustedProxies: ["192.0.2.0/24"],
      logClientAddress: "full",
    });
    await using _ = forged;
    const lists = ["133.11.0.1", `${"1.2.3.4, ".repeat(1000)}133.11.0.1`, "fe80::1%eth0", "[::1]:99, x, 133.11.0.1:80"];
    for (const list of lists) {
      const [answer] = await ask(forged.port, `GET /v2/ HTTP/1.1\r\nX-Forwarded-For: ${list}\r\n${HEAD}`);
      expect(answer?.status).toBe(200);
    }
    const asked = async () => (await forged.log()).filter(({ kind }) => kind === "version");
    await until(async () => (await asked()).length > lists.length, { what: "the log" });
    expect(new Set((await asked()).map(({ client }) => client))).toEqual(new Set(["127.0.0.1"]));
  });

  test("random bytes never make an error of ours, nor end us", async () => {
    const next = createRandom(4);
    const pieces = [
      "GET ",
      "HEAD ",
      "POST ",
      "/v2/",
      "..",
      "%00",
      "%",
      " HTTP/1.1",
      "\r\n",
      "\r\n\r\n",
      "\n",
      "Host: r",
    ];
    const more = [
      "Content-Length: 9",
      "Transfer-Encoding: chunked",
      "Range: bytes=0-",
      "\0",
      "\xff",
      ":",
      path,
      "?n=",
      "a",
    ];
    const all = [...pieces, ...more];
    const statuses = new Set<number>();
    const round = async () => {
      const noise = Array.from({ length: 1 + next(12) }, () => all[next(all.length)]).join("");
      const start = next(2) === 0 ? `GET ${path}` : "";
      for (const status of (await exchange(serving.port, Buffer.from(`${start}${noise}\r\n\r\n`, "latin1"), 60))
        .matchAll(/^HTTP\/1\.1 (\d{3})/gm)
        .map(([, text]) => Number(text))) {
        statuses.add(status);
      }
    };
    for (let rounds = 0; rounds < 25; rounds++) await Promise.all(Array.from({ length: 16 }, round));
    expect([...statuses].filter((status) => status >= 500)).toEqual([]);
    // Else the noise would have met nothing but the parser.
    expect([...statuses]).toEqual(expect.arrayContaining([200, 400]));
    await stillServes();
  });

  test("1,000 connections that ask for nothing, or never end asking: there is an end to them, and room for others", async () => {
    const sockets: Socket[] = [];
    for (let count = 0; count < 1000; count++) {
      const socket = await openSocket(serving.port);
      if (count % 2 === 0) socket.write("GET /v2/ HTTP/1.1\r\nX-Slow: ");
      sockets.push(socket);
    }
    await stillServes();
    const metrics = await serving.metrics();
    expect(metrics['nearlayer_connections{listener="http"}']).toBeLessThanOrEqual(LIMITS.connections);
    expect(metrics.nearlayer_connections_evicted_total).toBeGreaterThanOrEqual(750);
    expect(metrics.process_resident_memory_bytes).toBeLessThan(400_000_000);
    // Those that were left are cut off, even if a byte comes now and then.
    const drip = setInterval(() => {
      for (const [index, socket] of sockets.entries()) if (index % 2 === 0 && socket.writable) socket.write("x");
    }, 100);
    await until(() => sockets.every(({ closed }) => closed), { what: "them to be cut off" });
    clearInterval(drip);
    await stillServes();
  });

  test("a client that does not take its answer is let go", async () => {
    const layer = "x".repeat(32 * 1024 * 1024);
    const { layers } = await serving.push({ repository: "fedora/app", tag: "large", layers: [layer] });
    const target = `/v2/fedora/app/blobs/${layers[0]}`;
    await until(async () => (await fetch(`${serving.url}${target}`, { method: "HEAD" })).status === 200, {
      what: "the layer to be served",
    });
    const socket = await openSocket(serving.port);
    socket.pause().write(`GET ${target} HTTP/1.1\r\n${HEAD}`);
    const aborted = async () => (await serving.metrics())['nearlayer_requests_aborted_total{kind="blob"}'] === 1;
    await until(aborted, { what: "the answer to be given up" });
    socket.destroy();
    // What had been read for it is counted, and is far from all.
    expect((await serving.metrics()).nearlayer_origin_bytes_total).toBeLessThan(layer.length);
  });
});
