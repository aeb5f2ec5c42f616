import type { Bench, Outcome, Size } from "./bench.ts";
import { imagesOf } from "./bench.ts";
import { blobLoad, manifestLoad, warmUp } from "./loads.ts";
import { type Peer, startBare, startFilledRegistry, startGeoNginx } from "./peers.ts";
import { serve } from "./served.ts";
import { atLeast, number, rate, ratio, speed } from "./table.ts";
import { compare, type Load } from "./wrk.ts";

/** Redirects of blobs and manifests with `urls`, beside others that answer the same. */
export async function benchPulls(bench: Bench, size: Size): Promise<Outcome> {
  const { wrk, fleet, folder, catalogOf, seconds, rounds } = bench;
  const images = imagesOf(size);
  const mirrors = fleet.mirrors(size.mirrors);
  await using served = await serve(await folder.at("pulls"), await catalogOf(size.blobs), mirrors);
  await using bare = await startBare(await folder.at("bare"), "redirect");
  await using nginx = await startGeoNginx(await folder.at("nginx"), mirrors);
  await using registry = await startFilledRegistry(await folder.at("registry"));

  const blobs = blobLoad(served, images);
  await warmUp(wrk, blobs, seconds);
  const redirects = await compare(
    wrk,
    { bare: at(bare, blobs), ours: blobs, nginx: at(nginx, blobs), registry: registry.blobs },
    seconds,
    rounds,
  );
  const manifests = manifestLoad(served, images);
  await warmUp(wrk, manifests, seconds);
  const bytes = await bytesOf(manifests.url + (manifests.paths[0] ?? ""), manifests.agent ?? "");
  await using sender = await startBare(await folder.at("sender"), { bytes });
  const sent = await compare(
    wrk,
    { bare: at(sender, manifests), ours: manifests, registry: registry.manifests },
    seconds,
    rounds,
  );
  const [ours, redirector] = [redirects("ours"), redirects("bare")];
  const [writer, copier] = [sent("ours"), sent("bare")];
  return {
    title: `${number(size.mirrors)} mirrors, ${number(size.blobs)} blobs`,
    lines: [
      { what: "blob redirect: mirrorlist", figure: speed(ours) },
      { what: "  a bare node:http 307", figure: speed(redirector) },
      { what: "  nginx, one worker, geoip2, 307", figure: rate(redirects("nginx").rate) },
      { what: "  docker-registry, a blob of 1 KB", figure: speed(redirects("registry")) },
      atLeast("  mirrorlist to bare node:http", ours.rate / redirector.rate, 0.6),
      { what: "    by CPU", figure: ratio(redirector.cost / ours.cost) },
      atLeast("  mirrorlist to docker-registry", ours.rate / redirects("registry").rate, 20),
      { what: `manifest by tag with urls (${number(bytes)} bytes): mirrorlist`, figure: speed(writer) },
      { what: "  a bare node:http 200 of as many bytes", figure: speed(copier) },
      { what: "  docker-registry, a manifest by tag", figure: speed(sent("registry")) },
      atLeast("  mirrorlist to bare node:http", writer.rate / copier.rate, 0.5),
      { what: "    by CPU", figure: ratio(copier.cost / writer.cost) },
    ],
  };
}

const at = ({ url, pid }: Peer, load: Load): Load => ({ ...load, url, pid });

/** How many bytes the answer has; it must have `urls`. */
async function bytesOf(url: string, agent: string): Promise<number> {
  const headers = { "user-agent": agent, "x-forwarded-for": "129.69.1.1", host: "bench.example.org" };
  const response = await fetch(url, { headers });
  const bytes = await response.bytes();
  if (!response.headers.get("nearlayer-delivery")?.startsWith("urls")) throw new Error(`${url} has no urls`);
  return bytes.length;
}
