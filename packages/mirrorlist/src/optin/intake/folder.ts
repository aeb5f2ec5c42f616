import { randomBytes } from "node:crypto";
import { constants, type PathLike, type Stats } from "node:fs";
import { lstat, mkdir, open, opendir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";

/** The largest upload that is read. */
export const MAX_UPLOAD_BYTES = 65_536;

/** How many names of the folder are looked at in one pass. */
const MAX_NAMES = 2000;

/** rsync's own temporary names begin with a dot; one this old, in milliseconds, was left by a transfer that broke off. */
const ABANDONED_MS = 86_400_000;

/** Where an upload is while it is worked on: what was taken when the process was killed is there when it starts again. */
const TAKEN = ".taken";
export const REJECTED = "rejected";

const UPLOAD = /^([a-z0-9][a-z0-9.-]{0,62})\.(yaml|checkin)$/;

/** A name in the folder, as far as it says what it is. */
export interface Upload {
  /** The name that it was uploaded under; bytes that are not ASCII stand for themselves (latin1). */
  readonly file: string;
  readonly path: PathLike;
  /** What the name says: which mirror, and what it wants. Undefined for any other name. */
  readonly means: { readonly mirror: string; readonly kind: "yaml" | "checkin" } | undefined;
}

function uploadOf(folder: string, name: string): Upload {
  const file = name.replace(MARK, "");
  const match = UPLOAD.exec(file);
  const means = match && ({ mirror: match[1] ?? "", kind: match[2] === "yaml" ? "yaml" : "checkin" } as const);
  return {
    file,
    path: Buffer.from(`${Buffer.from(folder).toString("latin1")}/${name}`, "latin1"),
    means: means ?? undefined,
  };
}

/** Two uploads of one name can be under way: the marks of those that were taken keep them apart. */
const MARK = /~[0-9a-f]{8}$/;

/** Makes a folder of our own in the one of the uploads, whatever somebody may have uploaded under its name. */
export async function ownFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory()) return path;
  if (found !== undefined) await rm(path, { force: true });
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** What has changed about a file while somebody writes to it. */
const signature = ({ ino, size, mtimeMs, ctimeMs }: Stats) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`;

/** The uploads that are whole: their files are as they were at the look before this one. */
export class Uploads {
  readonly #folder: string;
  #before = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Those that a process has taken which was killed, then those that have not changed since the last look. */
  async look(now: number): Promise<{ readonly taken: readonly Upload[]; readonly whole: readonly Upload[] }> {
    if (!(await stat(this.#folder).catch(failWith(this.#folder))).isDirectory()) {
      throw new NearlayerError("CONFIG_INVALID", `optin.folder: ${this.#folder} is not a folder`);
    }
    const takenIn = await ownFolder(this.#folder, TAKEN);
    const taken = await inOrder((await namesIn(takenIn)).map((name) => uploadOf(takenIn, name)));
    const seen = new Map<string, string>();
    const whole: Upload[] = [];
    for (const name of await namesIn(this.#folder)) {
      if (name === TAKEN || name === REJECTED) continue;
      const upload = uploadOf(this.#folder, name);
      const found = await lstat(upload.path).catch(() => undefined);
      if (found === undefined) continue;
      if (name.startsWith(".")) {
        if (now - found.ctimeMs > ABANDONED_MS) await rm(upload.path, { recursive: true, force: true });
        continue;
      }
      seen.set(name, signature(found));
      if (this.#before.get(name) === signature(found)) whole.push(upload);
    }
    this.#before = seen;
    return { taken, whole };
  }

  /** Takes an upload out of the way of the next one under its name. Undefined when another process was faster. */
  async take({ file, path }: Upload): Promise<Upload | undefined> {
    const takenIn = await ownFolder(this.#folder, TAKEN);
    const name = `${file}~${randomBytes(4).toString("hex")}`;
    const isMine = await rename(path, join(takenIn, name)).then(() => true, unlessGone);
    return isMine ? uploadOf(takenIn, name) : undefined;
  }
}

/** For what another process may have been faster with. */
export function unlessGone(error: unknown): false {
  if (systemCode(error) === "ENOENT") return false;
  throw error;
}

/** The oldest first: the later of two uploads of one mirror is the one that counts. */
async function inOrder(uploads: readonly Upload[]): Promise<Upload[]> {
  const aged = await Promise.all(
    uploads.map(async (upload) => ({ upload, at: (await lstat(upload.path).catch(() => undefined))?.ctimeMs ?? 0 })),
  );
  return aged.sort((a, b) => a.at - b.at).map(({ upload }) => upload);
}

/** Some of the names in a folder, in order. However many there are, no more are held. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  // As they are: names may be bytes that are no text.
  for await (const { name } of await opendir(folder, { encoding: "latin1" })) {
    names.push(name);
    if (names.length === MAX_NAMES) break;
  }
  return names.sort();
}

const failWith = (folder: string) => (cause: unknown) => {
  throw new NearlayerError("CONFIG_INVALID", `optin.folder: ${folder} cannot be read: ${systemCode(cause)}`, {
    cause,
    hint: `make it, for the user of the mirror list: install -d -m 700 ${folder}`,
  });
};

/**
 * The bytes of an upload, or why they are not read; undefined when it is gone. Nothing is followed, and nothing waited
 * for: uploads may be symbolic links, devices or pipes.
 */
export async function readUpload({ path }: Upload): Promise<Buffer | string | undefined> {
  try {
    const found = await lstat(path);
    if (!found.isFile()) return "not a file";
    if (found.nlink > 1) return "a second name of another file";
    if (found.size > MAX_UPLOAD_BYTES) return TOO_LARGE;
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) return "not a file";
    const buffer = Buffer.alloc(MAX_UPLOAD_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return bytesRead > MAX_UPLOAD_BYTES ? TOO_LARGE : buffer.subarray(0, bytesRead);
  } catch (error) {
    return systemCode(error) === "ENOENT" ? undefined : `cannot be read: ${systemCode(error)}`;
  }
}

const TOO_LARGE = `larger than ${MAX_UPLOAD_BYTES} bytes`;
