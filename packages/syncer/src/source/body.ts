import { NearlayerError } from "@nearlayer/shared/errors";

/** Reads a body of at most `limit` bytes. Throws LIMIT_EXCEEDED as soon as there are more. */
export async function readBounded(body: AsyncIterable<Uint8Array>, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) throw new NearlayerError("LIMIT_EXCEEDED", `${what}: more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
