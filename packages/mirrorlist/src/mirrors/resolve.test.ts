import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../testing/http.ts";
import { createMirrorAgent, describeRequestError } from "./agent.ts";
import { createResolve } from "./resolve.ts";

/** A name server that knows these names, says that there are no others, and does not answer for `silent` ones. */
async function nameServer(names: Readonly<Record<string, string>>): Promise<string> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.on("message", (query, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join(".");
    if (name.startsWith("silent")) return;
    const known = query.readUInt16BE(at + 1) === 1 ? names[name] : undefined;
    const isName = name in names;
    // RFC 1035, 4.1: a response with the question, and an A record that points back at its name.
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(isName ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(known === undefined ? 0 : 1, 6);
    head.writeUInt16BE(0, 8);
    head.writeUInt16BE(0, 10);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...(known ?? "").split(".").map(Number)]);
    socket.send(
      Buffer.concat([head, query.subarray(12, at + 5), ...(known === undefined ? [] : [record])]),
      port,
      address,
    );
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return `127.0.0.1:${socket.address().port}`;
}

test("names are found by name servers, what these do not know by the system, and an address is checked after that", async () => {
  const server = await listen((_, response) => response.end("here"));
  const names = { "mirror.example.org": "127.0.0.1", "cloud.example.org": "169.254.169.254" };
  const resolve = createResolve([await nameServer(names)]);
  const agent = createMirrorAgent({ resolve });
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  const get = async (host: string, allowPrivateAddress: boolean) => {
    const url = `http://${host}:${server.port}/`;
    try {
      const { body } = await agent.request(url, { method: "GET", timeoutMs: 4000, allowPrivateAddress });
      return await body.text();
    } catch (error) {
      return describeRequestError(error).kind;
    }
  };
  expect(await get("mirror.example.org", true)).toBe("here");
  expect(await get("localhost", true)).toBe("here");
  for (const host of ["mirror.example.org", "cloud.example.org", "localhost"]) {
    expect(await get(host, false)).toBe("private-address");
  }
  expect(await get("nowhere.example.org", true)).toBe("network");
});

test("name servers that are silent hold up neither other names nor the reading of files", async () => {
  const resolve = createResolve([await nameServer({ "mirror.example.org": "192.0.2.1" })]);
  const silent = Array.from({ length: 50 }, (_, index) => resolve(`silent${index}.example.org`).catch(() => []));
  expect(await resolve("mirror.example.org")).toEqual([{ address: "192.0.2.1", family: 4 }]);
  expect((await readFile(import.meta.filename)).length).toBeGreaterThan(0);
  await Promise.race([Promise.all(silent), new Promise((done) => setTimeout(done, 3000))]);
});
