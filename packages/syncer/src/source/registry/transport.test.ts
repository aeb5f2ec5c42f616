import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
  const options = { name: url.origin, concurrency: 4, timeout: 1000, minSpeed: 1000, speedWindow: 200 };
  transport = createTransport({ ...options, authorities: undefined, pace: createPace(4, signal), signal });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  server.close();
});

async function read(isLarge: boolean): Promise<string> {
  const answer = await transport.ask({ url, isLarge });
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

describe.each([
  ["a small body", false],
  ["a large body", true],
])("%s", (_, isLarge) => {
  test("that drips is broken off, although it never stands still", async () => {
    serve = (response) => drip(response, 1, 20);
    await expect(read(isLarge)).rejects.toMatchObject({
      code: "SOURCE_BROKE_OFF",
      isTransient: true,
      message: expect.stringContaining("less than 1000 bytes per second (source.minSpeed)"),
    });
  });

  test("that comes slowly, and fast enough, comes whole", async () => {
    serve = (response) => drip(response, 5000, 30);
    expect(await read(isLarge)).toHaveLength(100_000);
  });

  test("that waits for whoever takes it is not slow", async () => {
    serve = (response) => drip(response, 100, 20, 200);
    const answer = await transport.ask({ url, isLarge });
    let length = 0;
    await answer.pour((piece) => {
      length += piece.length;
      return sleep(500);
    });
    expect(length).toBe(200);
  });

  test("of which the length is not told comes whole too, and is asked for once from then on", async () => {
    serve = (response) => void response.writeHead(200).end("chunked");
    expect(await read(isLarge)).toBe("chunked");
    asked = 0;
    expect(await read(isLarge)).toBe("chunked");
    expect(asked).toBe(1);
  });

  test("that nobody wants is passed over", async () => {
    serve = (response) => void response.writeHead(404, { "content-length": 5 }).end("words");
    for (let index = 0; index < 20; index += 1) await (await transport.ask({ url, isLarge })).dump();
    expect(asked).toBe(20);
  });
});
