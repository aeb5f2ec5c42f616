/** Lines that are passed on together, as bytes. */
export interface LineGatherer {
  write(line: string): void;
  /** Passes on what is there. */
  flush(): void;
}

/** How long a line waits for others, in milliseconds, and how many bytes there is room for. */
const GATHER_MS = 50;
const ROOM = 64 * 1024;

/**
 * Gathers lines for `pass`. They are kept as bytes: as texts that live for a moment they would be a good part of what
 * the garbage collector has to do.
 */
export function gatherLines(pass: (bytes: Buffer) => void): LineGatherer {
  const room = Buffer.allocUnsafe(ROOM);
  let used = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (used > 0) pass(Buffer.from(room.subarray(0, used)));
    used = 0;
  };
  return {
    flush,
    write(line) {
      // No character is more than three bytes of UTF-8.
      const atMost = line.length * 3;
      if (used + atMost > ROOM) flush();
      if (atMost > ROOM) return pass(Buffer.from(line));
      used += room.write(line, used);
      timer ??= setTimeout(flush, GATHER_MS);
    },
  };
}
