import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { parseManifest } from "@nearlayer/shared/manifest";
import { CARRIED_MANIFESTS } from "@nearlayer/shared/mediatype";
import type { Repository } from "@nearlayer/shared/reference";
import { readImage, type SourceImage } from "./image.ts";
import { isWhole } from "./known.ts";
import type { Reader } from "./reader.ts";

/** A signature can have an attestation of its own, and that a signature; further nobody goes. */
const MAX_DEPTH = 3;
/** Signatures have no platform: they go wherever what they sign goes. */
const anyPlatform = () => true;

/** Reads what refers to these manifests, by the source's own word, and was not carried yet. */
export async function readReferrers(
  reader: Reader,
  repository: Repository,
  subjects: readonly Digest[],
  depth = 0,
): Promise<SourceImage[]> {
  if (depth >= MAX_DEPTH) return [];
  const found = await Promise.all(subjects.map((subject) => readReferrersOf(reader, repository, subject)));
  const images = found.flat();
  if (images.length === 0) return [];
  const further = images.map(({ digest }) => digest);
  return [...images, ...(await readReferrers(reader, repository, further, depth + 1))];
}

async function readReferrersOf(reader: Reader, repository: Repository, subject: Digest): Promise<SourceImage[]> {
  const descriptors = (await reader.source.getReferrers(repository, subject)) ?? [];
  const images = await Promise.all(descriptors.map((each) => readReferrer(reader, repository, subject, each)));
  return images.filter((image) => image !== undefined);
}

async function readReferrer(
  reader: Reader,
  repository: Repository,
  subject: Digest,
  { digest, mediaType }: Descriptor,
): Promise<SourceImage | undefined> {
  const { known } = reader;
  if (!CARRIED_MANIFESTS.includes(mediaType)) return undefined;
  if ((await known.isIn(repository, digest)) && (await isWhole(known, anyPlatform, digest))) return undefined;
  const fetched = await reader.manifest(repository, digest);
  // Only what says so itself is found again as a referrer.
  if (parseManifest(fetched.bytes, fetched.contentType).subject?.digest !== subject) return undefined;
  return readImage(reader, repository, fetched, anyPlatform);
}
