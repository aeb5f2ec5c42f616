import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, fromHex, type Hex } from "@nearlayer/shared/digest";

/** How many bytes are gathered before they are written: fewer, larger writes cost a third of the CPU. */
const BATCH_BYTES = 1024 * 1024;
/** How long bytes are gathered at most: what came is to be on disk when the process is killed, and seen by `active`. */
const BATCH_MS = 100;

/** A blob's bytes as they come: appended to a file, hashed on the way. */
export interface Download extends AsyncDisposable {
  readonly file: string;
  readonly handle: FileHandle;
  /** How many bytes are there, written or about to be. */
  readonly offset: number;
  /** Appends all of a body, as far as it comes. Throws what the body or the disk throws; what came stays. */
  append(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options?: AppendOptions): Promise<void>;
  /** Forgets all that is there. */
  restart(): Promise<void>;
  /** The digest of all that is there. */
  digest(): Digest;
  /** Throws where the file does not hold as many bytes as were hashed: a last look, before it gets a name. */
  check(): Promise<void>;
}

export interface AppendOptions {
  /** Called with the offset after every piece; what it throws ends the download. */
  readonly onOffset?: ((offset: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens `data` in a folder that is held, with what an earlier run wrote there, hashed; a file that is too long is emptied. */
export async function openDownload(folder: string, size = Number.POSITIVE_INFINITY): Promise<Download> {
  const file = join(folder, "data");
  const handle = await open(file, "a+");
  let hash = createHash("sha256");
  let offset = 0;
  const restart = async () => {
    await handle.truncate(0);
    hash = createHash("sha256");
    offset = 0;
  };
  try {
    offset = (await handle.stat()).size;
    if (offset > size) await restart();
    if (offset > 0) await hashFile(file, hash);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    file,
    handle,
    get offset() {
      return offset;
    },
    async append(body, { onOffset, signal } = {}) {
      const writer = createBatchWriter(handle);
      try {
        for await (const chunk of body) {
          signal?.throwIfAborted();
          onOffset?.(offset + chunk.length);
          hash.update(chunk);
          offset += chunk.length;
          await writer.add(chunk);
        }
      } finally {
        // Of a download that broke off, too: the hash covers what was added, and the file is to hold the same.
        await writer.end();
      }
    },
    restart,
    digest: () => fromHex(hash.copy().digest("hex") as Hex),
    async check() {
      const { size: written } = await handle.stat();
      if (written !== offset) throw new Error(`${file} has ${written} bytes, ${offset} were written to it`);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function hashFile(file: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: BATCH_BYTES })) hash.update(chunk as Uint8Array);
}

/** Writes in batches, one under way while the next is gathered: at most two are in memory. */
function createBatchWriter(handle: FileHandle) {
  let batch: Uint8Array[] = [];
  let gathered = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function writeBatch(): Promise<void> {
    const [chunks, length] = [batch, gathered];
    batch = [];
    gathered = 0;
    if (length > 0) await writeAll(handle, chunks, length);
  }

  /** After one that failed, nothing more is written, and everybody who waits is told. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(writeBatch);
    writing.catch(() => {});
    return writing;
  }

  return {
    /** Returns what is to be awaited before more is added. */
    add(chunk: Uint8Array): Promise<void> | undefined {
      batch.push(chunk);
      gathered += chunk.length;
      if (gathered < BATCH_BYTES) {
        timer ??= setTimeout(flush, BATCH_MS);
        return undefined;
      }
      const before = writing;
      flush();
      return before;
    },
    end: flush,
  };
}

/** writev(2) may write less than it was given, on a disk that is nearly full say. */
async function writeAll(handle: FileHandle, batch: readonly Uint8Array[], length: number): Promise<void> {
  const { bytesWritten } = await handle.writev(batch);
  if (bytesWritten < length) await handle.appendFile(Buffer.concat(batch).subarray(bytesWritten));
}
