// Many mirrors in one process, each on a port of its own: node mirrors.ts COUNT; prints the ports as JSON.
// Lines on stdin: `generation N` (all show it from now on), `dead PORT`.
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { formatGeneration } from "@nearlayer/shared/generation";
import { parsePlatform } from "@nearlayer/shared/platform";
import { GENERATIONS, listSha256Of, sizeOf } from "./catalog.ts";

let shown = GENERATIONS;

const answer: RequestListener = (request, response) => {
  const path = request.url ?? "/";
  const platform = /^\/zz-state\/([a-z0-9-]+)\/GENERATION$/.exec(path)?.[1];
  if (platform !== undefined) {
    const etag = `"${shown}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304, { etag }).end();
    return void response.writeHead(200, { etag }).end(generationOf(platform));
  }
  const digest = /\/blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (digest === undefined) return void response.writeHead(404).end();
  const size = sizeOf(digest);
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  if (start === undefined || end === undefined) {
    response.writeHead(200, { "Content-Length": size });
    return void response.end(request.method === "HEAD" ? undefined : Buffer.alloc(size));
  }
  const length = Number(end) - Number(start) + 1;
  response.writeHead(206, { "Content-Range": `bytes ${start}-${end}/${size}`, "Content-Length": length });
  response.end(Buffer.alloc(length));
};

function generationOf(name: string): string {
  const platform = parsePlatform(name);
  const listSha256 = listSha256Of(platform, shown);
  return formatGeneration({ platform, number: shown, time: "2026-11-22T12:00:00Z", files: 1, bytes: 1, listSha256 });
}

const servers = new Map<number, Server>();
for (let index = 0; index < Number(process.argv[2]); index += 1) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.set((server.address() as AddressInfo).port, server);
}
console.log(JSON.stringify([...servers.keys()]));
for await (const line of createInterface(process.stdin)) {
  const [what, value] = line.split(" ");
  if (what === "generation") shown = Number(value);
  if (what === "dead") {
    const server = servers.get(Number(value));
    server?.close();
    server?.closeAllConnections();
  }
  console.log("done");
}
process.exit();
