/** Over how long a rate is taken, in milliseconds: long enough to be calm, short enough to tell of a stall. */
const WINDOW_MS = 5000;
const SLOT_MS = 250;

/** How fast something comes. */
export interface Rate {
  add(bytes: number, now: number): void;
  /** Bytes per second, over the last seconds. */
  at(now: number): number;
}

/** Times are in milliseconds, and never go back. */
export function createRate(): Rate {
  const slots: { since: number; bytes: number }[] = [];
  let begun: number | undefined;
  const forget = (now: number) => {
    while (slots[0] !== undefined && slots[0].since <= now - WINDOW_MS) slots.shift();
  };
  return {
    add(bytes, now) {
      begun ??= now;
      const last = slots.at(-1);
      if (last !== undefined && now - last.since < SLOT_MS) last.bytes += bytes;
      else slots.push({ since: now, bytes });
    },
    at(now) {
      if (begun === undefined) return 0;
      forget(now);
      const elapsed = Math.min(WINDOW_MS, Math.max(SLOT_MS, now - begun));
      return (slots.reduce((sum, { bytes }) => sum + bytes, 0) * 1000) / elapsed;
    },
  };
}
