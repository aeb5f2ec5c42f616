import type { Blob } from "./blob.ts";
import type { BuiltImage } from "./image.ts";

/** Pushes an image through a registry's HTTP API: blobs it lacks, then manifests, then the tag. */
export async function pushImage(
  registryUrl: string,
  repository: string,
  tag: string,
  image: BuiltImage,
): Promise<void> {
  const base = `${registryUrl}/v2/${repository}`;
  for (const manifest of image.manifests) {
    await Promise.all([manifest.config, ...manifest.layers].map((blob) => pushBlob(base, blob)));
    if (manifest.digest !== image.digest) await pushManifest(base, manifest.digest, manifest);
  }
  await pushManifest(base, tag, image);
}

/** Pushes one blob, unless the repository has it. */
export async function pushBlob(base: string, { digest, bytes }: Blob): Promise<void> {
  const known = await fetch(`${base}/blobs/${digest}`, { method: "HEAD" });
  if (known.ok) return;
  const started = await ask(`${base}/blobs/uploads/`, { method: "POST" });
  const place = new URL(started.headers.get("location") ?? "", base);
  place.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  await ask(place, { method: "PUT", headers, body: new Uint8Array(bytes) });
}

/** Puts a manifest under a tag or its digest. */
export async function pushManifest(
  base: string,
  reference: string,
  { bytes, mediaType }: { readonly bytes: Buffer; readonly mediaType: string },
): Promise<void> {
  const headers = { "content-type": mediaType };
  await ask(`${base}/manifests/${reference}`, { method: "PUT", headers, body: new Uint8Array(bytes) });
}

async function ask(url: string | URL, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${text.slice(0, 500)}`);
  return response;
}
