/**
 * Hands over bytes piece by piece, to the end. A piece is only there during the call: its memory is used again for the
 * next one. Where `take` returns a promise, the next piece waits for it; what it throws ends the pouring, and is thrown.
 */
export type Pour = (take: Take) => Promise<void>;

export type Take = (piece: Uint8Array) => void | Promise<void>;

/** Pours what something else yields. */
export function pourFrom(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Pour {
  return async (take) => {
    for await (const piece of pieces) await take(piece);
  };
}
