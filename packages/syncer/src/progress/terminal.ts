import { createLogUpdate } from "log-update";
import { createBoard, startTransfer } from "./board.ts";
import { drawBoard } from "./lines.ts";
import type { Progress } from "./progress.ts";

/** How often it is drawn. */
const FRAME_MS = 100;

/** Shows progress on a terminal, in place, and takes it away at the end. */
export function createTerminalProgress(stream: NodeJS.WriteStream): Progress {
  const board = createBoard(Date.now());
  const log = createLogUpdate(stream);
  const draw = () => {
    if (board.phase !== "") log(drawBoard(board, Date.now(), stream.columns ?? 80).join("\n"));
  };
  const timer = setInterval(draw, FRAME_MS);
  // It is no reason to stay alive.
  timer.unref();
  return {
    phase(what) {
      board.phase = what;
      board.since = Date.now();
      board.counted = "";
      draw();
    },
    count(done, what) {
      board.counted = `${done} ${what}`;
    },
    expect(blobs, bytes) {
      board.blobs.total += blobs;
      board.bytes.total += bytes;
    },
    begin(ref, size) {
      const transfer = startTransfer(board, ref, size);
      return { at: (offset) => transfer.at(offset, Date.now()), end: () => transfer.end() };
    },
    image(name, outcome, reason) {
      if (outcome === "failed") log.persist(`failed: ${name}: ${reason ?? ""}`);
    },
    end() {
      clearInterval(timer);
      if (board.phase === "") return;
      board.phase = "";
      log.clear();
      log.done();
    },
  };
}
