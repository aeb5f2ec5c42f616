import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWire, type Wire } from "./wire.ts";

/** What the server sends for each request, in pieces with a little time between them; it closes after `undefined`. */
let script: (path: string) => readonly (string | undefined)[];
let server: Server;
let wire: Wire;
let url: URL;
let connections: number;

beforeEach(async () => {
  connections = 0;
  server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {});
    socket.on("data", (data) => void send(socket, String(data).split(" ")[1] ?? ""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  wire = createWire({ timeout: 300 });
});
afterEach(() => {
  wire.close();
  server.close();
});

async function send(socket: Socket, path: string): Promise<void> {
  for (const piece of script(path)) {
    if (piece === undefined) return void socket.destroy();
    socket.write(piece);
    await sleep(20);
  }
}

async function read(path = "", take: (text: string) => void | Promise<void> = () => {}): Promise<string> {
  const answer = await wire.ask(new URL(path, url), { headers: { accept: "*/*" } });
  let text = "";
  await answer.pour((piece) => {
    text += Buffer.from(piece).toString();
    return take(text);
  });
  return text;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const UNTIL_CLOSED = "HTTP/1.1 200 OK\r\n\r\n";

test.each([
  [[`${OK}0123456789`]],
  [[OK, "01234", "56789"]],
  [["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 10\r\n\r", "\n0123456789"]],
  [[`HTTP/1.1 100 Continue\r\n\r\n${OK}0123456789`]],
  [[`${CHUNKED}5\r\n01234\r\n5;name=value\r\n56789\r\n0\r\n\r\n`]],
  [[CHUNKED, "A", "\r", "\n0123", "45678", "9\r", "\n0\r\nTrailer: x\r\n", "\r\n"]],
  [[`${UNTIL_CLOSED}0123456789`, undefined]],
  [[UNTIL_CLOSED, "01234", "56789", undefined]],
])("a body comes whole, however it is cut: %j", async (pieces) => {
  script = () => pieces;
  expect(await read()).toBe("0123456789");
});

test("a connection serves one request after another, and empty bodies too", async () => {
  script = (path) => (path === "/none" ? ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] : [OK, "0123456789"]);
  for (const path of ["none", "a", "none", "b"]) await read(path);
  expect(connections).toBe(1);
});

test("who takes a body may let it wait, for longer than the server may", async () => {
  script = () => [OK, "01234", "56789"];
  expect(await read("", () => sleep(400))).toBe("0123456789");
});

test.each([
  ["closes at once", [undefined], "CLOSED"],
  ["closes in the body", [OK, "01234", undefined], "CLOSED"],
  ["closes between chunks", [CHUNKED, "5\r\n01234\r\n", undefined], "CLOSED"],
  ["says nothing", [], "ANSWER_TIMEOUT"],
  ["stops in the body", [OK, "01234"], "BODY_TIMEOUT"],
  ["drips its head", Array.from({ length: 100 }, () => "x"), "ANSWER_TIMEOUT"],
  ["sends more than it says", [OK, "0123456789!"], "NOT_HTTP"],
  ["sends more than its last chunk", [`${CHUNKED}0\r\n\r\n!`], "NOT_HTTP"],
  ["gives a chunk no size", [CHUNKED, "x\r\n"], "NOT_HTTP"],
  ["gives a chunk a size beyond measure", [CHUNKED, `${"f".repeat(13)}\r\n`], "NOT_HTTP"],
  ["sends more than a chunk's size says", [CHUNKED, "5\r\n012345\r\n"], "NOT_HTTP"],
  ["ends a line as no line ends", [CHUNKED, "5\n01234\n"], "NOT_HTTP"],
  ["sends a line without end", [CHUNKED, `5;${"x".repeat(2000)}`], "NOT_HTTP"],
  ["sends trailers without end", [CHUNKED, "0\r\n", ...Array(30).fill(`x: ${"y".repeat(900)}\r\n`)], "NOT_HTTP"],
  ["sends no HTTP", ["SSH-2.0-OpenSSH\r\n\r\n"], "NOT_HTTP"],
  ["sends a head without end", ["HTTP/1.1 200 OK\r\n", `x: ${"y".repeat(70_000)}`], "NOT_HTTP"],
])("a server that %s is an error, and the next request goes through", async (_, pieces, code) => {
  script = () => pieces;
  await expect(read()).rejects.toMatchObject({ code });
  script = () => [OK, "0123456789"];
  expect(await read()).toBe("0123456789");
});

test("what the taker throws ends the body, and is thrown", async () => {
  script = () => [OK, "01234", "56789"];
  const thrown = new Error("enough");
  await expect(
    read("", () => {
      throw thrown;
    }),
  ).rejects.toBe(thrown);
  await expect(read("", () => Promise.reject(thrown))).rejects.toBe(thrown);
});

test("bytes that nobody asked for end the connection, and not the next answer", async () => {
  script = () => [`${OK}0123456789`, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"];
  expect(await read()).toBe("0123456789");
  await sleep(60);
  expect(await read()).toBe("0123456789");
  expect(connections).toBe(2);
});

test("closing breaks off what is under way", async () => {
  script = () => [OK, "01234"];
  const reading = read();
  await sleep(50);
  wire.close();
  await expect(reading).rejects.toMatchObject({ code: "CLOSED" });
});

test("a header cannot smuggle in another", async () => {
  await expect(wire.ask(url, { headers: { authorization: "x\r\nhost: y" } })).rejects.toThrow("line end");
});
