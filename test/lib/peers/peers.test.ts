import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../process/folder.ts";
import { run } from "../process/run.ts";
import { skipUnless } from "../requirements.ts";
import { startEdge } from "./edge.ts";
import { startMirror } from "./mirror.ts";
import { startNginx } from "./nginx.ts";
import { startRsyncDaemon } from "./rsyncd.ts";

test("a mirror pulls from a master's module, serves it, and both tell what they saw", async (context) => {
  await skipUnless(context, "rsync", "nginx");
  await using folder = await temporaryFolder("peers");
  const tree = await folder.at("pub", "some dir");
  await writeFile(join(tree, "file"), "0123456789");
  const modules = [{ name: "containers", path: join(folder.path, "pub") }];
  await using master = await startRsyncDaemon({ dir: await folder.at("master"), modules });
  await using mirror = await startMirror({ name: "mirror", dir: await folder.at("mirror") });

  const before = await master.transfers.mark();
  await mirror.pull(`${master.url}containers/`);
  const sent = await master.transfers.entries(before);
  expect(sent.filter(({ size }) => size === 10)).toMatchObject([
    { operation: "send", module: "containers", path: "some dir/file" },
  ]);

  await fetch(`${mirror.url}missing`);
  const mark = await mirror.log.mark();
  const part = await fetch(`${mirror.url}some%20dir/file`, { headers: { range: "bytes=2-4", "user-agent": "me" } });
  expect([part.status, await part.text()]).toEqual([206, "234"]);
  expect(await mirror.log.entries(mark)).toEqual([
    { method: "GET", uri: "/some%20dir/file", status: 206, bytes: 3, range: "bytes=2-4", agent: "me", location: "" },
  ]);
  expect((await mirror.log.entries()).map(({ status }) => status)).toEqual([404, 206]);
});

test("a module refuses what it is not for", async (context) => {
  await skipUnless(context, "rsync");
  await using folder = await temporaryFolder("peers");
  const [readable, drop] = [await folder.at("readable"), await folder.at("drop")];
  await writeFile(join(folder.path, "file"), "x");
  const modules = [
    { name: "readable", path: readable },
    { name: "drop", path: drop, writeOnly: true },
  ];
  await using daemon = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });

  const file = join(folder.path, "file");
  expect((await run("rsync", [file, `${daemon.url}readable/`])).exitCode).not.toBe(0);
  expect((await run("rsync", [file, `${daemon.url}drop/`])).exitCode).toBe(0);
  expect(await readFile(join(drop, "file"), "utf8")).toBe("x");
  expect((await run("rsync", [`${daemon.url}drop/file`, join(folder.path, "back")])).exitCode).not.toBe(0);
  expect((await run("rsync", [daemon.url])).stdout).not.toContain("drop");
});

test("an edge passes everything on, from the address it plays", async (context) => {
  await skipUnless(context, "nginx");
  await using folder = await temporaryFolder("peers");
  await mkdir(join(folder.path, "backend"));
  await using backend = await startNginx({
    name: "backend",
    dir: join(folder.path, "backend"),
    server: [
      "location = /who { return 200 '$http_x_forwarded_for $http_host'; }",
      "location = /away { return 307 http://mirror.example/blob; }",
    ],
  });
  const dir = await folder.at("edge");
  await using edge = await startEdge({ name: "edge", dir, backend: backend.url, clientAddress: "133.11.0.1" });

  expect(await (await fetch(`${edge.url}who`)).text()).toBe(`133.11.0.1 ${edge.host}`);
  const away = await fetch(`${edge.url}away`, { redirect: "manual" });
  expect(away.headers.get("location")).toBe("http://mirror.example/blob");
  expect((await edge.log.entries()).at(-1)).toMatchObject({ status: 307, location: "http://mirror.example/blob" });
});
