import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import { type BuiltImage, buildImage } from "../../lib/images/image.ts";
import { randomLayer } from "../../lib/images/layer.ts";
import { measureSyncer } from "./measure.ts";
import { megabytes, printTable, seconds, times } from "./table.ts";

export interface ManyOptions {
  readonly sizes: readonly (readonly [repositories: number, tagsOfEach: number])[];
}

/**
 * First syncs and checks of a source with ever more repositories, all of whose tags name one small image: what the tags
 * themselves cost. No registry here holds so many; a server that makes up its answers stands for one.
 */
export async function benchMany(dir: string, { sizes }: ManyOptions): Promise<void> {
  const rows: string[][] = [];
  let least = 0;
  for (const [repositories, tagsOfEach] of sizes) {
    await using source = await startSource(repositories, tagsOfEach);
    const folder = join(dir, String(repositories));
    await mkdir(folder, { recursive: true });
    const config = join(folder, "nearlayer.yaml");
    await writeFile(
      config,
      stringify({ catalog: "catalog.db", root: "root", source: { url: source.url, repositories: ["many/**"] } }),
    );
    const tags = repositories * tagsOfEach;
    for (const what of ["first", "unchanged"]) {
      const { cpuSeconds, peakBytes, ...run } = await measureSyncer(config, ["sync"], folder);
      least ||= peakBytes;
      const perTag = `${((cpuSeconds / tags) * 1000).toFixed(2)} ms`;
      rows.push([
        `${repositories} repositories, ${tags} tags, ${what}`,
        ...[seconds(run.seconds), seconds(cpuSeconds), perTag, megabytes(peakBytes), times(peakBytes / least)],
      ]);
    }
  }
  printTable("Many repositories", ["", "time", "CPU", "CPU per tag", "peak memory", "to the first"], rows);
}

interface Source extends AsyncDisposable {
  readonly url: string;
}

async function startSource(repositories: number, tagsOfEach: number): Promise<Source> {
  const layers = [await randomLayer("bench many", 1000)];
  const image = await buildImage("oci-manifest", [{ platform: { os: "linux", architecture: "amd64" }, layers }]);
  const blobs = new Map(
    image.manifests.flatMap(({ config, layers }) => [config, ...layers]).map((blob) => [blob.digest, blob.bytes]),
  );
  const names = Array.from({ length: repositories }, (_, index) => `many/r${String(index).padStart(6, "0")}`);
  const tags = Array.from({ length: tagsOfEach }, (_, index) => `v${index}`);
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://source");
    const [, what, which = ""] = /\/(_catalog|tags\/list|manifests|blobs)(?:\/([^/]+))?$/.exec(pathname) ?? [];
    const blob = what === "blobs" ? blobs.get(which) : undefined;
    if (what === "_catalog") sendCatalog(response, names, searchParams.get("last") ?? "");
    else if (what === "tags/list") response.end(JSON.stringify({ tags }));
    else if (what === "manifests") sendManifest(response, image, request.headers["if-none-match"]);
    else if (blob === undefined) response.writeHead(pathname === "/v2/" ? 200 : 404).end();
    else response.writeHead(200, { "Content-Length": blob.length }).end(blob);
  };
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const PAGE = 1000;

function sendCatalog(response: ServerResponse, names: readonly string[], last: string): void {
  const from = names.indexOf(last) + 1;
  const repositories = names.slice(from, from + PAGE);
  const next = `</v2/_catalog?n=${PAGE}&last=${encodeURIComponent(repositories.at(-1) ?? "")}>; rel="next"`;
  if (from + PAGE < names.length) response.setHeader("Link", next);
  response.end(JSON.stringify({ repositories }));
}

function sendManifest(response: ServerResponse, { digest, mediaType, bytes }: BuiltImage, known = ""): void {
  response.setHeader("Docker-Content-Digest", digest).setHeader("ETag", `"${digest}"`);
  if (known.includes(digest)) response.writeHead(304).end();
  else response.writeHead(200, { "Content-Type": mediaType, "Content-Length": bytes.length }).end(bytes);
}
