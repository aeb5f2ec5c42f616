import { createHash, type Hash } from "node:crypto";
import { closeSync, createReadStream, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Digest, fromHex, type Hex } from "@nearlayer/shared/digest";
import type { Pour } from "../pour.ts";

/** How much of a file is read at once, in bytes. */
const READ_BYTES = 1024 * 1024;

/**
 * A blob's bytes as they come: appended to a file, hashed on the way. Each piece is written before the next one is read,
 * and without a detour through another thread, which would cost more than the copy into the system's memory.
 */
export interface Download extends Disposable {
  readonly file: string;
  readonly descriptor: number;
  /** How many bytes are there. */
  readonly offset: number;
  /** Appends all that is poured, as far as it comes. Throws what the pouring or the disk throws; what came stays. */
  append(pour: Pour, options?: AppendOptions): Promise<void>;
  /** Forgets all that is there. */
  restart(): void;
  /** The digest of all that is there. */
  digest(): Digest;
  /** Throws where the file does not hold as many bytes as were hashed: a last look, before it gets a name. */
  check(): void;
}

export interface AppendOptions {
  /** Called with the offset after every piece; what it throws ends the download. */
  readonly onOffset?: ((offset: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens `data` in a folder that is held, with what an earlier run wrote there, hashed; a file that is too long is emptied. */
export async function openDownload(folder: string, size = Number.POSITIVE_INFINITY): Promise<Download> {
  const file = join(folder, "data");
  const descriptor = openSync(file, "a+");
  let hash = createHash("sha256");
  let offset = 0;
  const restart = () => {
    ftruncateSync(descriptor, 0);
    hash = createHash("sha256");
    offset = 0;
  };
  try {
    offset = fstatSync(descriptor).size;
    if (offset > size) restart();
    if (offset > 0) await hashFile(file, hash);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return {
    file,
    descriptor,
    get offset() {
      return offset;
    },
    append: (pour, { onOffset, signal } = {}) =>
      pour((piece) => {
        signal?.throwIfAborted();
        onOffset?.(offset + piece.length);
        // The hash covers what was written, and nothing else: after a write that failed, it is all done again.
        writeAll(descriptor, piece);
        hash.update(piece);
        offset += piece.length;
      }),
    restart,
    digest: () => fromHex(hash.copy().digest("hex") as Hex),
    check() {
      const { size: written } = fstatSync(descriptor);
      if (written !== offset) throw new Error(`${file} has ${written} bytes, ${offset} were written to it`);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

async function hashFile(file: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) hash.update(chunk as Uint8Array);
}

/** write(2) may write less than it was given, on a disk that is nearly full say. */
function writeAll(descriptor: number, piece: Uint8Array): void {
  for (let written = 0; written < piece.length; ) written += writeSync(descriptor, piece, written);
}
