/** Where small things stand together. A slab is let go of once nothing in it is used; what came together goes together. */
const SLAB_BYTES = 1024 * 1024;

/** Larger ones would waste the end of a slab. */
const MAX_BYTES = SLAB_BYTES / 64;

let slab = new ArrayBuffer(0);
let used = 0;

/**
 * The same bytes, copied to a place beside others. A hundred thousand arrays of their own, allocated among all that a
 * database driver allocates, leave about as much memory in the gaps between them as they hold.
 */
export function keepTogether(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_BYTES) return bytes;
  if (used + bytes.length > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const kept = new Uint8Array(slab, used, bytes.length);
  kept.set(bytes);
  used += bytes.length;
  return kept;
}
