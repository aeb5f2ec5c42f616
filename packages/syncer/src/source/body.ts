import { NearlayerError } from "@nearlayer/shared/errors";
import type { Pour } from "../pour.ts";

/** Reads a body of at most `limit` bytes. Throws LIMIT_EXCEEDED as soon as there are more. */
export async function readBounded(pour: Pour, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  await pour((piece) => {
    length += piece.length;
    if (length > limit) throw new NearlayerError("LIMIT_EXCEEDED", `${what}: more than ${limit} bytes`);
    chunks.push(Buffer.from(piece));
  });
  return Buffer.concat(chunks, length);
}
