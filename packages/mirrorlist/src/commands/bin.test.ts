import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { startMirror } from "../testing/http.ts";
import { AMD64 } from "../testing/mirrors.ts";
import { createTree } from "../testing/tree.ts";

const BIN = join(import.meta.dirname, "..", "bin.js");

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function run(...args: string[]) {
  const child = start(...args);
  const ended = once(child, "close");
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map((stream) => stream && text(stream)));
  const [code] = await ended;
  return { code, stdout, stderr };
}

async function setUp() {
  const tree = await createTree();
  const mirror = await startMirror(tree.root);
  onTestFinished(async () => {
    await mirror[Symbol.asyncDispose]();
    await tree[Symbol.asyncDispose]();
  });
  await tree.push({ repository: "fedora/app", tag: "40", layers: ["one"] });
  await tree.publish(AMD64, 1);
  const config = join(tree.root, "nearlayer.yaml");
  const mirrors = [{ name: "jp", url: mirror.url, country: "JP", allowPrivateAddress: true }];
  const mirrorlist = { listen: "127.0.0.1:0" };
  await writeFile(config, JSON.stringify({ catalog: tree.location, root: tree.root, mirrorlist, mirrors }));
  return { config, mirror };
}

test("serve answers on the port that it names, and ends well on SIGTERM", async () => {
  const { config } = await setUp();
  const child = start("serve", "--json", "--config", config);
  if (child.stdout === null) throw new Error("stdout is a pipe");
  const [line] = await once(createInterface(child.stdout), "line");
  const { url } = JSON.parse(line);
  expect(await fetch(`${url}v2/_catalog`).then((response) => response.json())).toEqual({
    repositories: ["fedora/app"],
  });
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("a stderr that nobody reads holds up no answer, and no end", async () => {
  const { config } = await setUp();
  const child = spawn(process.execPath, [BIN, "serve", "--json", "--config", config], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stderr.pause();
  const [line] = await once(createInterface(child.stdout), "line");
  const { url } = JSON.parse(line);
  // A line is 200 bytes at least, and a pipe holds 64 KB.
  for (let round = 0; round < 75; round++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${url}v2/_catalog`)));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
  }
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
}, 30_000);

test("crawl and explain show what they find, for people and for machines", async () => {
  const { config, mirror } = await setUp();
  const crawled = await run("crawl", "--json", "--config", config);
  expect(crawled).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(crawled.stdout ?? "")).toMatchObject({
    mirrors: [{ name: "jp", platforms: [{ state: "fresh" }] }],
  });
  const explained = await run("explain", "fedora/app:40", "--ip", "202.232.2.1", "--config", config);
  expect(explained).toMatchObject({ code: 0, stderr: "" });
  expect(explained.stdout).toMatch(/jp +country/);
  expect(explained.stdout).toMatch("IP Geolocation by DB-IP, https://db-ip.com");
  mirror.fault = (_, response) => Boolean(response.writeHead(500).end());
  const failing = await run("crawl", "--config", config);
  expect(failing).toMatchObject({ code: 2, stdout: expect.stringMatching(/jp .*failing .*answers 500/) });
});

test.each([
  [["serve", "--config", "/nowhere.yaml"], 1, "error: /nowhere.yaml: cannot be read"],
  [["nonsense"], 1, "error: unknown command 'nonsense'"],
  [["explain", "fedora/app"], 1, "error: required option '--ip <address>'"],
])("%j ends with %d and one clear line", async (args, code, line) => {
  const result = await run(...args);
  expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(line) });
  expect(result.stderr).not.toMatch(/^ +at /m);
});

test("what is not there is named, with what to do", async () => {
  const { config } = await setUp();
  const result = await run("explain", "fedora/none", "--ip", "192.0.2.1", "--config", config);
  expect(result.code).toBe(2);
  expect(result.stderr).toBe(
    "error: no such repository here: fedora/none\nhint: `syncer sync` brings images into the catalog\n",
  );
});
