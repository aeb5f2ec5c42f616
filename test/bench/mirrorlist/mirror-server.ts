// Real local servers behind many mirrors' URLs: node mirror-server.ts PORT…
import { createServer, type RequestListener } from "node:http";
import { formatGeneration } from "@nearlayer/shared/generation";
import { parsePlatform } from "@nearlayer/shared/platform";
import { GENERATIONS, listSha256Of, sizeOf } from "./catalog.ts";

/** `/m17/linux-amd64/blobs/sha256/ab/abcd…` and `/m17/zz-state/linux-amd64/GENERATION` */
const answer: RequestListener = (request, response) => {
  const path = request.url ?? "/";
  const platform = /\/zz-state\/([a-z0-9-]+)\/GENERATION$/.exec(path)?.[1];
  if (platform !== undefined) return void response.end(generationOf(platform));
  const digest = /\/blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (digest === undefined) return void response.writeHead(404).end();
  const size = sizeOf(digest);
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  if (start === undefined || end === undefined) return void response.writeHead(200, { "Content-Length": size }).end();
  const length = Number(end) - Number(start) + 1;
  response.writeHead(206, { "Content-Range": `bytes ${start}-${end}/${size}`, "Content-Length": length });
  response.end(Buffer.alloc(length));
};

/** The newest generation that the catalog has. */
function generationOf(name: string): string {
  const platform = parsePlatform(name);
  const listSha256 = listSha256Of(platform, GENERATIONS);
  const time = "2026-11-22T12:00:00Z";
  return formatGeneration({ platform, number: GENERATIONS, time, files: 1, bytes: 1, listSha256 });
}

for (const port of process.argv.slice(2)) createServer(answer).listen(Number(port), "127.0.0.1");
