import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import type { Content } from "./suite.ts";

const ACCEPT = Object.values(MEDIA_TYPE).join(", ");

interface Document {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly subject?: { readonly digest: string };
}

/** All that a repository of a registry holds under its tags; blobs that it does not have itself are left out. */
export async function contentOf(registryUrl: string, repository: string): Promise<Content> {
  const base = `${registryUrl}/v2/${repository}`;
  const manifests = new Set<string>();
  const named = new Set<string>();
  const subjects = new Set<string>();
  const { tags } = (await (await fetch(`${base}/tags/list`)).json()) as { tags: string[] };

  async function walk(reference: string): Promise<void> {
    const response = await fetch(`${base}/manifests/${reference}`, { headers: { accept: ACCEPT } });
    const digest = response.headers.get("docker-content-digest") ?? "";
    if (!response.ok || manifests.has(digest)) return;
    manifests.add(digest);
    const document = (await response.json()) as Document;
    if (document.subject !== undefined) subjects.add(document.subject.digest);
    for (const blob of [document.config ?? [], document.layers ?? []].flat()) named.add(blob.digest);
    for (const child of document.manifests ?? []) await walk(child.digest);
  }
  for (const tag of tags) await walk(tag);
  const blobs: string[] = [];
  for (const digest of named) {
    if ((await fetch(`${base}/blobs/${digest}`, { method: "HEAD" })).ok) blobs.push(digest);
  }
  return { tags, manifests: [...manifests], blobs, subjects: [...subjects] };
}
