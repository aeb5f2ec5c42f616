import { formatBytes, formatSeconds } from "@nearlayer/shared/cli";
import type { Board, RunningTransfer } from "./board.ts";

/** How many blobs are shown one by one. */
const MAX_SHOWN = 8;
const BAR_WIDTH = 20;

/** The board as lines of at most `width` characters: the blobs under way, and the total below them. */
export function drawBoard(board: Board, now: number, width: number): string[] {
  const running = [...board.running];
  const hidden = running.length - MAX_SHOWN;
  return [
    ...running.slice(0, MAX_SHOWN).map((transfer) => drawTransfer(transfer, now, width)),
    ...(hidden > 0 ? [`  and ${hidden} more`] : []),
    drawTotal(board, now),
  ].map((line) => line.slice(0, Math.max(20, width - 1)));
}

function drawTransfer({ ref, size, offset, rate }: RunningTransfer, now: number, width: number): string {
  const name = shorten(ref, Math.max(16, Math.min(48, width - 58)));
  const speed = `${formatBytes(rate.at(now))}/s`;
  if (size === undefined) return `  ${name}  ${formatBytes(offset)}  ${speed}`;
  // All is there, and waits for the disk.
  if (offset === size) return `  ${name}  ${bar(offset, size)}  ${formatBytes(size)}, being written out`;
  return `  ${name}  ${bar(offset, size)}  ${formatBytes(offset)} of ${formatBytes(size)}  ${speed}`;
}

function drawTotal({ phase, since, counted, blobs, bytes, rate }: Board, now: number): string {
  const duration = formatSeconds((now - since) / 1000);
  if (blobs.total === 0) return counted === "" ? `${phase} (${duration})` : `${phase}: ${counted} (${duration})`;
  const speed = rate.at(now);
  const left = bytes.total - bytes.done;
  const time = left > 0 && speed > 0 ? `, ${formatSeconds(left / speed)} left` : "";
  const amount = `${formatBytes(bytes.done)} of ${formatBytes(bytes.total)}, ${formatBytes(speed)}/s${time}`;
  return `${phase}: ${blobs.done} of ${blobs.total} blobs  ${bar(bytes.done, bytes.total)}  ${amount}`;
}

function bar(done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const full = Math.floor(share * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}

/** `fedora/app@sha256:1a2b3c4d5e6f…`, from which the beginning goes first: it is the same for many. */
function shorten(ref: string, length: number): string {
  const short = ref.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+/, "$1");
  return short.length > length ? `…${short.slice(1 - length)}` : short.padEnd(length);
}
