import { imageOf } from "./catalog.ts";
import { type Load, rateOf, type Wrk } from "./wrk.ts";

/** How many images are asked for. Of a large catalog, most is asked for rarely. */
const IMAGES = 10;

/** The layers of some images, spread over a catalog of so many. */
export function blobLoad(url: string, images: number): Load {
  const paths = chosen(images).flatMap(({ repository, layers }) =>
    layers.map((digest) => `/v2/${repository}/blobs/${digest}`),
  );
  return { url, paths };
}

/** Their manifests, by tag, as podman asks for them: with `urls` in the answer. */
export function manifestLoad(url: string, images: number): Load {
  const paths = chosen(images).map(({ repository, tag }) => `/v2/${repository}/manifests/${tag}`);
  return { url, paths, agent: "libpod/5.0.0" };
}

function chosen(images: number) {
  const step = Math.max(1, Math.floor(images / IMAGES));
  return Array.from({ length: Math.min(IMAGES, images) }, (_, index) => imageOf(index * step));
}

/** Runs until every mirror has been looked at for every blob that it is named for, and the code is compiled. */
export async function warmUp(wrk: Wrk, load: Load, seconds: number, maxRounds = 12): Promise<void> {
  let best = 0;
  for (let round = 0; round < maxRounds; round += 1) {
    const now = rateOf(await wrk.run(load, seconds));
    if (now < best * 1.05) return;
    best = now;
  }
}
