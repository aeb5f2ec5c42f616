import { createReadStream } from "node:fs";
import { access, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, isDigest } from "@nearlayer/shared/digest";
import { messageOf, NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { MAX_MANIFEST_BYTES } from "@nearlayer/shared/manifest";
import { isRepository, isTag, type Repository, type Tag } from "@nearlayer/shared/reference";
import PQueue from "p-queue";
import { pourFrom } from "../../pour.ts";
import type { Source } from "../source.ts";
import { blobPath, layerLink, repositoriesDir, revisionLink, tagLink, tagsDir } from "./layout.ts";

/** How much of a file is read at once, in bytes. */
const READ_BYTES = 256 * 1024;

/**
 * A distribution registry's own storage on a disk of this machine. What the registry would not answer (a manifest or a
 * blob without a link in the repository) is not found here either. `concurrency` counts files that are read at once.
 */
export async function openStorage(root: string, concurrency: number): Promise<Source> {
  const isStorage = await stat(repositoriesDir(root)).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isStorage) {
    throw new NearlayerError("SOURCE_UNREACHABLE", `source.storage ${root}: there is no docker/registry/v2 in it`, {
      hint: "name the rootdirectory of the registry's file-system storage",
    });
  }
  const queue = new PQueue({ concurrency });
  const abort = new AbortController();
  const run = <T>(work: () => Promise<T>): Promise<T> => queue.add(work, { signal: abort.signal });

  return {
    name: root,
    withRetries: (work) => work(),
    listRepositories: async () => ({ repositories: (await findRepositories(root, "")).sort() }),
    listTags: (repository) => run(() => listTags(root, repository)),

    getManifest: (repository, reference, known) =>
      run(async () => {
        const digest = isDigest(reference) ? reference : await readLink(tagLink(root, repository, reference));
        const what = `${repository}${isDigest(reference) ? "@" : ":"}${reference}`;
        if (digest === undefined) throw notFound(what, root);
        if (digest === known) return undefined;
        if ((await readLink(revisionLink(root, repository, digest))) === undefined) throw notFound(what, root);
        const bytes = await readManifest(blobPath(root, digest), what, root);
        if (digestOf(bytes) !== digest) {
          throw new NearlayerError("DIGEST_MISMATCH", `manifest ${what}: the bytes on disk are not ${digest}`);
        }
        return { digest, bytes, contentType: undefined };
      }),

    // A registry that keeps its storage this way has no referrers API: the fallback tags are all there is.
    getReferrers: async () => undefined,

    readBlob: (repository, digest, offset, consume) =>
      run(async () => {
        const file = await fileOfBlob(root, repository, digest);
        return consume({
          offset,
          pour: pourFrom(createReadStream(file, { start: offset, signal: abort.signal, highWaterMark: READ_BYTES })),
        });
      }),

    fileOfBlob: (repository, digest) => fileOfBlob(root, repository, digest),

    async close() {
      abort.abort(new Error(`the reading of ${root} was broken off`));
    },
  };
}

async function fileOfBlob(root: string, repository: Repository, digest: Digest): Promise<string> {
  const path = blobPath(root, digest);
  try {
    await access(layerLink(root, repository, digest));
    await access(path);
    return path;
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? notFound(`${repository}@${digest}`, root) : unreadable(root, error);
  }
}

/** Repositories nest: a folder with `_manifests` is one, and others can stand beside that. */
async function findRepositories(root: string, name: string): Promise<Repository[]> {
  const entries = await readFolders(join(repositoriesDir(root), name));
  const found = entries.includes("_manifests") && isRepository(name) ? [name] : [];
  for (const entry of entries) {
    if (!entry.startsWith("_")) found.push(...(await findRepositories(root, name === "" ? entry : `${name}/${entry}`)));
  }
  return found;
}

async function listTags(root: string, repository: Repository): Promise<Tag[]> {
  const folders = await readFolders(tagsDir(root, repository));
  const tags: Tag[] = [];
  // A tag that was deleted can leave its folder behind.
  for (const tag of folders.filter(isTag)) if (await readLink(tagLink(root, repository, tag))) tags.push(tag);
  return tags.sort();
}

async function readFolders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? notFound(path, path) : unreadable(path, error);
  }
}

/** The digest in a link, or undefined when there is no such link. */
async function readLink(path: string): Promise<Digest | undefined> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    if (isDigest(text)) return text;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
  throw new NearlayerError("SOURCE_REFUSED", `${path} holds no digest`);
}

async function readManifest(path: string, what: string, root: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size <= MAX_MANIFEST_BYTES) return await readFile(path);
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? notFound(what, root) : unreadable(path, error);
  }
  throw new NearlayerError("LIMIT_EXCEEDED", `manifest ${what}: more than ${MAX_MANIFEST_BYTES} bytes`);
}

function notFound(what: string, root: string): NearlayerError {
  return new NearlayerError("NOT_FOUND", `${what} is not in ${root}`);
}

function unreadable(path: string, cause: unknown): NearlayerError {
  return new NearlayerError("SOURCE_REFUSED", `${path} cannot be read: ${messageOf(cause)}`, {
    cause,
    hint: "the syncer needs to read the registry's storage",
  });
}
