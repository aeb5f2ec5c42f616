import { imageOf, LAYERS } from "./catalog.ts";
import type { Load, Wrk } from "./wrk.ts";

type Target = Pick<Load, "url" | "pid">;

/** How many images are asked for. Of a large catalog, most is asked for rarely. */
const IMAGES = 10;

/** The layers of some images, spread over a catalog of so many. */
export function blobLoad({ url, pid }: Target, images: number): Load {
  const paths = chosen(images).flatMap(({ repository, layers }) =>
    layers.map((digest) => `/v2/${repository}/blobs/${digest}`),
  );
  return { url, pid, paths };
}

/** Their manifests, by tag, as podman asks for them: with `urls` in the answer. */
export function manifestLoad({ url, pid }: Target, images: number): Load {
  const paths = chosen(images).map(({ repository, tag }) => `/v2/${repository}/manifests/${tag}`);
  return { url, pid, paths, agent: "libpod/5.0.0" };
}

/** All manifests of a catalog, and a layer of each: what nobody has asked for lately. */
export function allLoads({ url, pid }: Target, images: number): Load[] {
  const all = Array.from({ length: images }, (_, index) => imageOf(index));
  const manifests = all.map(({ repository, tag }) => `/v2/${repository}/manifests/${tag}`);
  const layers = all.map((image, index) => `/v2/${image.repository}/blobs/${image.layers[index % LAYERS]}`);
  return [manifests, layers].map((paths) => ({ url, pid, paths }));
}

function chosen(images: number) {
  const step = Math.max(1, Math.floor(images / IMAGES));
  return Array.from({ length: Math.min(IMAGES, images) }, (_, index) => imageOf(index * step));
}

/**
 * Runs until an answer takes no less CPU any more: every mirror has been looked at for every blob that it is named for,
 * every variant is in the catalog, and the code is compiled. Some looks stay: as clients are drawn at random, one in a
 * hundred or so has asked for the same before, and so reports a failure.
 */
export async function warmUp(wrk: Wrk, load: Load, seconds: number, maxRounds = 15): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let [round, vain] = [0, 0]; round < maxRounds && vain < 2; round += 1) {
    const { cpuSeconds, requests } = await wrk.run(load, seconds);
    const cost = cpuSeconds / requests;
    vain = cost > best * 0.95 ? vain + 1 : 0;
    best = Math.min(best, cost);
  }
}
