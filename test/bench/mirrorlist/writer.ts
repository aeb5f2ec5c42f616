import { setTimeout as sleep } from "node:timers/promises";
import { recordImage } from "@nearlayer/shared/catalog/images";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { digestOf } from "@nearlayer/shared/digest";
import { parseManifest } from "@nearlayer/shared/manifest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { parseRepository, parseTag } from "@nearlayer/shared/reference";
import { LAYERS, PLATFORMS, sizeOf } from "./catalog.ts";

/** Records new images into a catalog as the syncer does, until it is disposed of. */
export async function keepWriting(
  file: string,
  perSecond: number,
): Promise<AsyncDisposable & { readonly written: () => number }> {
  const catalog = await openCatalog(file);
  const run = Date.now();
  let written = 0;
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      await recordImage(catalog, newImage(`${run}-${written}`));
      written += 1;
      await sleep(1000 / perSecond);
    }
  })();
  return {
    written: () => written,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await done;
      await catalog.destroy();
    },
  };
}

function newImage(name: string) {
  const content = Buffer.from(JSON.stringify({ os: "linux", name }));
  const layers = Array.from({ length: LAYERS }, (_, index) => digestOf(`${name} ${index}`));
  const mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.schema2,
      config: {
        mediaType: "application/vnd.docker.container.image.v1+json",
        size: content.length,
        digest: digestOf(content),
      },
      layers: layers.map((digest) => ({ mediaType, size: sizeOf(digest), digest })),
    }),
  );
  return {
    repository: parseRepository("bench/new"),
    tag: parseTag(name),
    digest: digestOf(bytes),
    manifests: [{ digest: digestOf(bytes), bytes, manifest: parseManifest(bytes), platforms: PLATFORMS.slice(0, 1) }],
    contents: new Map([[digestOf(content), content]]),
  };
}
