import { createRate, type Rate } from "./rate.ts";

/** A blob that is coming now. */
export interface RunningTransfer {
  readonly ref: string;
  readonly size: number | undefined;
  offset: number;
  readonly rate: Rate;
}

/** The state of a command as it is drawn. */
export interface Board {
  phase: string;
  /** When the phase began, milliseconds. */
  since: number;
  /** What of the phase is done, where that is counted: `12 tags`. */
  counted: string;
  readonly blobs: { done: number; total: number };
  readonly bytes: { done: number; total: number };
  /** Of all that comes. */
  readonly rate: Rate;
  readonly running: Set<RunningTransfer>;
}

export function createBoard(now: number): Board {
  const none = () => ({ done: 0, total: 0 });
  return { phase: "", since: now, counted: "", blobs: none(), bytes: none(), rate: createRate(), running: new Set() };
}

/** Takes note of a blob that begins to come; the functions take note of how it goes on. */
export function startTransfer(board: Board, ref: string, size: number | undefined) {
  const transfer: RunningTransfer = { ref, size, offset: 0, rate: createRate() };
  let counted = 0;
  let isFirst = true;
  return {
    at(offset: number, now: number) {
      // Not before: some wait for their turn, and some are there already.
      board.running.add(transfer);
      // Where it starts, and where it starts again, nothing has come.
      const came = isFirst ? 0 : Math.max(0, offset - transfer.offset);
      isFirst = false;
      transfer.offset = offset;
      transfer.rate.add(came, now);
      board.rate.add(came, now);
      board.bytes.done += offset - counted;
      counted = offset;
    },
    end() {
      board.running.delete(transfer);
      board.blobs.done += 1;
      // What was there already, or failed, is not to come any more either.
      board.bytes.done += (size ?? counted) - counted;
    },
  };
}
