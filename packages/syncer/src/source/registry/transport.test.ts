import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPace } from "./pace.ts";
import { createTransport, type Transport } from "./transport.ts";

let serve: (response: ServerResponse) => void | Promise<void>;
let asked: number;
let server: Server;
let transport: Transport;
let url: URL;

beforeEach(async () => {
  asked = 0;
  server = createServer((_, response) => {
    asked += 1;
    void serve(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/blob`);
  const { signal } = new AbortController();
  const options = { name: url.origin, timeout: 1000, minSpeed: 1000, speedWindow: 200 };
  transport = createTransport({ ...options, authorities: undefined, pace: createPace(4, signal), signal });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  server.close();
});

async function read(): Promise<string> {
  const answer = await transport.ask({ url });
  let text = "";
  await answer.pour((piece) => {
    text += Buffer.from(piece).toString();
  });
  return text;
}

/** Sends so many bytes, some at a time. */
async function drip(response: ServerResponse, bytes: number, every: number, total = 100_000) {
  response.writeHead(200, { "content-length": total });
  for (let sent = 0; sent < total && !response.destroyed; sent += bytes) {
    response.write("x".repeat(Math.min(bytes, total - sent)));
    await sleep(every);
  }
}

test("a body that drips is broken off, although it never stands still", async () => {
  serve = (response) => drip(response, 1, 20);
  await expect(read()).rejects.toMatchObject({
    code: "SOURCE_BROKE_OFF",
    isTransient: true,
    message: expect.stringContaining("less than 1000 bytes per second (source.minSpeed)"),
  });
});

test("what drips between the chunks of a body is broken off too", async () => {
  serve = async ({ socket }) => {
    socket?.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    while (socket?.destroyed === false) {
      socket.write("x");
      await sleep(20);
    }
  };
  await expect(read()).rejects.toMatchObject({ code: "SOURCE_BROKE_OFF" });
});

test("a body that comes slowly, and fast enough, comes whole", async () => {
  serve = (response) => drip(response, 5000, 30);
  expect(await read()).toHaveLength(100_000);
});

test("a body that waits for whoever takes it is not slow", async () => {
  serve = (response) => drip(response, 100, 20, 200);
  const answer = await transport.ask({ url });
  let length = 0;
  await answer.pour((piece) => {
    length += piece.length;
    return sleep(500);
  });
  expect(length).toBe(200);
});

test("a body of which the length is not told comes whole too", async () => {
  serve = (response) => void response.writeHead(200).end("chunked");
  expect(await read()).toBe("chunked");
  expect(asked).toBe(1);
});

test.each([
  ["short", { "content-length": 5 }, "words"],
  ["long", { "content-length": 300_000 }, "x".repeat(300_000)],
  ["long, of a length that is not told", {}, "x".repeat(300_000)],
])("a body that nobody wants is passed over: %s", async (_, headers, body) => {
  serve = (response) => void response.writeHead(404, headers).end(body);
  for (let index = 0; index < 20; index += 1) await (await transport.ask({ url })).dump();
  expect(asked).toBe(20);
});

test.each(["HEAD", "POST"] as const)("%s", async (method) => {
  const seen: string[] = [];
  server.on("request", (request) => request.on("data", (data) => seen.push(`${request.method} ${data}`)));
  serve = (response) => void response.writeHead(200, { "content-length": 5 }).end("words");
  for (let index = 0; index < 3; index += 1) {
    const answer = await transport.ask({ url, method, ...(method === "POST" && { body: "größer" }) });
    expect(answer).toMatchObject({ statusCode: 200, headers: { "content-length": "5" } });
    await answer.dump();
  }
  expect(seen).toEqual(method === "POST" ? Array(3).fill("POST größer") : []);
});
