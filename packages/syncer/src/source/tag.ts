import type { Digest } from "@nearlayer/shared/digest";
import type { WantsPlatform } from "./children.ts";
import { mergeImages, readImage, type SourceImage } from "./image.ts";
import { isWhole, knownBelow, type TagName } from "./known.ts";
import type { Reader } from "./reader.ts";
import { readReferrers } from "./referrers.ts";

/** What was found behind a tag; a tag that could not be read fails alone. */
export type WalkedTag = TagName &
  (
    | { readonly outcome: "unchanged"; readonly digest: Digest }
    | { readonly outcome: "changed"; readonly image: SourceImage }
    /** Nothing of it is for a platform that is wanted. */
    | { readonly outcome: "excluded" }
    | { readonly outcome: "failed"; readonly error: unknown }
  );

/** Reads a tag, and what is behind it where that is not what the catalog has. An unchanged tag costs one request. */
export async function walkTag(reader: Reader, name: TagName, wants: WantsPlatform): Promise<WalkedTag> {
  try {
    const before = await reader.known.tag(name);
    const isCarried = before !== undefined && (await isWhole(reader.known, wants, before));
    if (before !== undefined && reader.filters.immutable(name.tag)) {
      return isCarried ? await unchanged(reader, name, before, "never moves") : await read(reader, name, before, wants);
    }
    const fetched = await reader.source.getManifest(name.repository, name.tag, before);
    if (before !== undefined && (fetched === undefined || fetched.digest === before)) {
      return isCarried ? await unchanged(reader, name, before) : await read(reader, name, before, wants);
    }
    if (fetched === undefined) throw new Error(`an unconditional request was answered 304: ${name.tag}`);
    const image = await readImage(reader, name.repository, fetched, wants);
    return await changed(reader, name, image);
  } catch (error) {
    return { ...name, outcome: "failed", error };
  } finally {
    reader.onTag?.();
  }
}

/** A manifest that is known by its digest, but not all that is wanted below it. */
async function read(reader: Reader, name: TagName, digest: Digest, wants: WantsPlatform): Promise<WalkedTag> {
  const image = await readImage(reader, name.repository, await reader.manifest(name.repository, digest), wants);
  const isNew = await Promise.all(
    (image?.manifests ?? []).map(async (record) => {
      const kept = await reader.known.manifest(record.digest);
      if (kept === undefined || kept.isOnItsWayOut) return true;
      return !record.platforms.every((platform) => kept.platforms.includes(platform));
    }),
  );
  return isNew.includes(true) ? changed(reader, name, image) : unchanged(reader, name, digest);
}

async function changed(reader: Reader, name: TagName, image: SourceImage | undefined): Promise<WalkedTag> {
  if (image === undefined) return { ...name, outcome: "excluded" };
  if (reader.referrers === "never") return { ...name, outcome: "changed", image };
  const subjects = image.manifests.map(({ digest }) => digest);
  const referrers = await readReferrers(reader, name.repository, subjects);
  return { ...name, outcome: "changed", image: mergeImages(image, referrers) };
}

/** The image is the same, but somebody may have signed it since. */
async function unchanged(reader: Reader, name: TagName, digest: Digest, note?: "never moves"): Promise<WalkedTag> {
  const subjects = await subjectsOfUnchanged(reader, digest, note !== undefined);
  const [first, ...others] = await readReferrers(reader, name.repository, subjects);
  if (first === undefined) return { ...name, outcome: "unchanged", digest };
  return { ...name, outcome: "changed", image: { ...mergeImages(first, others), digest } };
}

async function subjectsOfUnchanged(reader: Reader, digest: Digest, isImmutable: boolean): Promise<Digest[]> {
  if (reader.referrers === "always") return knownBelow(reader.known, digest);
  return reader.referrers === "auto" && reader.known.hasReferrersApi && !isImmutable ? [digest] : [];
}
