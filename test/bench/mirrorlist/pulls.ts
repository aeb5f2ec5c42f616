import type { Bench, Outcome, Size } from "./bench.ts";
import { imagesOf } from "./bench.ts";
import { blobLoad, manifestLoad, warmUp } from "./loads.ts";
import { startBare, startFilledRegistry, startGeoNginx } from "./peers.ts";
import { serve } from "./served.ts";
import { atLeast, number, rate } from "./table.ts";
import { compare } from "./wrk.ts";

/** Redirects of blobs and manifests with `urls`, beside others that answer the same. */
export async function benchPulls(bench: Bench, size: Size): Promise<Outcome> {
  const { wrk, fleet, folder, catalogOf, seconds, rounds } = bench;
  const images = imagesOf(size);
  const mirrors = fleet.mirrors(size.mirrors);
  await using served = await serve(await folder.at("pulls"), await catalogOf(size.blobs), mirrors);
  await using bare = await startBare(await folder.at("bare"), "redirect");
  await using nginx = await startGeoNginx(await folder.at("nginx"), mirrors);
  await using registry = await startFilledRegistry(await folder.at("registry"));

  const blobs = blobLoad(served.url, images);
  await warmUp(wrk, blobs, seconds);
  const redirects = await compare(
    wrk,
    { bare: { ...blobs, url: bare.url }, ours: blobs, nginx: { ...blobs, url: nginx.url }, registry: registry.blobs },
    seconds,
    rounds,
  );
  const manifests = manifestLoad(served.url, images);
  await warmUp(wrk, manifests, seconds);
  const bytes = await bytesOf(manifests.url + (manifests.paths[0] ?? ""), manifests.agent ?? "");
  await using sender = await startBare(await folder.at("sender"), { bytes });
  const sent = await compare(
    wrk,
    { bare: { ...manifests, url: sender.url }, ours: manifests, registry: registry.manifests },
    seconds,
    rounds,
  );
  const of = (rates: Record<string, number>, name: string) => rates[name] ?? Number.NaN;
  return {
    title: `${number(size.mirrors)} mirrors, ${number(size.blobs)} blobs`,
    lines: [
      { what: "blob redirect: mirrorlist", figure: rate(of(redirects, "ours")) },
      { what: "  a bare node:http 307", figure: rate(of(redirects, "bare")) },
      { what: "  nginx, one worker, geoip2, 307", figure: rate(of(redirects, "nginx")) },
      { what: "  docker-registry, a blob of 1 KB", figure: rate(of(redirects, "registry")) },
      atLeast("  mirrorlist to bare node:http", of(redirects, "ours") / of(redirects, "bare"), 0.6),
      atLeast("  mirrorlist to docker-registry", of(redirects, "ours") / of(redirects, "registry"), 20),
      { what: `manifest by tag with urls (${number(bytes)} bytes): mirrorlist`, figure: rate(of(sent, "ours")) },
      { what: "  a bare node:http 200 of as many bytes", figure: rate(of(sent, "bare")) },
      { what: "  docker-registry, a manifest by tag", figure: rate(of(sent, "registry")) },
      atLeast("  mirrorlist to bare node:http", of(sent, "ours") / of(sent, "bare"), 0.5),
    ],
  };
}

/** How many bytes the answer has; it must have `urls`. */
async function bytesOf(url: string, agent: string): Promise<number> {
  const headers = { "user-agent": agent, "x-forwarded-for": "129.69.1.1", host: "bench.example.org" };
  const response = await fetch(url, { headers });
  const bytes = await response.bytes();
  if (!response.headers.get("nearlayer-delivery")?.startsWith("urls")) throw new Error(`${url} has no urls`);
  return bytes.length;
}
