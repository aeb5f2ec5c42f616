import { expect, test } from "vitest";
import { createBoard, startTransfer } from "./board.ts";
import { drawBoard } from "./lines.ts";
import { createRate } from "./rate.ts";

const MB = 1_000_000;
const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

function fetching() {
  const board = createBoard(0);
  board.phase = "fetching";
  board.blobs.total = 2;
  board.bytes.total = 30 * MB;
  return board;
}

test("a transfer shows how far it is, and the total how long it will take", () => {
  const board = fetching();
  const transfer = startTransfer(board, `fedora/app@${DIGEST}`, 20 * MB);
  transfer.at(0, 0);
  transfer.at(5 * MB, 500);
  transfer.at(10 * MB, 1000);
  const [line, total] = drawBoard(board, 1000, 120);
  expect(line).toMatch(/^ {2}fedora\/app@sha256:0123456789ab +█{10}░{10} {2}10\.0 MB of 20\.0 MB {2}10\.0 MB\/s$/);
  expect(total).toBe("fetching: 0 of 2 blobs  ██████░░░░░░░░░░░░░░  10.0 MB of 30.0 MB, 10.0 MB/s, 2 s left");
});

test("what an earlier run had brought counts as done, and not as speed", () => {
  const board = fetching();
  const transfer = startTransfer(board, "a", 20 * MB);
  transfer.at(15 * MB, 0);
  transfer.at(16 * MB, 1000);
  expect(drawBoard(board, 1000, 120).at(-1)).toContain("16.0 MB of 30.0 MB, 1.0 MB/s, 14 s left");
});

test("a blob that begins again, or ends without having come, leaves the total right", () => {
  const board = fetching();
  const again = startTransfer(board, "a", 20 * MB);
  again.at(15 * MB, 0);
  again.at(0, 10);
  expect(board.bytes.done).toBe(0);
  again.at(20 * MB, 20);
  again.end();
  startTransfer(board, "there already", 10 * MB).end();
  expect([board.bytes.done, board.blobs.done, board.running.size]).toEqual([30 * MB, 2, 0]);
});

test("many transfers fit: some are shown, the others counted, no line is wider than the terminal", () => {
  const board = fetching();
  for (let index = 0; index < 20; index += 1) startTransfer(board, `${"long/".repeat(40)}${index}`, MB).at(0, 0);
  const lines = drawBoard(board, 0, 70);
  expect(lines).toHaveLength(10);
  expect(lines[8]).toBe("  and 12 more");
  for (const line of lines) expect(line.length).toBeLessThan(70);
});

test("a rate is of the last seconds, and goes to nothing in a stall", () => {
  const rate = createRate();
  for (let now = 0; now <= 10_000; now += 100) rate.add(100_000, now);
  expect(rate.at(10_000)).toBeCloseTo(MB, -5);
  expect(rate.at(20_000)).toBe(0);
});

test("a phase shows how much of it is done, where that is counted", () => {
  const board = createBoard(0);
  board.phase = "reading the source";
  expect(drawBoard(board, 3000, 80)).toEqual(["reading the source (3 s)"]);
  board.counted = "1200 tags";
  expect(drawBoard(board, 3000, 80)).toEqual(["reading the source: 1200 tags (3 s)"]);
});

test("a blob that is all there waits for the disk, and not for the source", () => {
  const board = fetching();
  startTransfer(board, "a", 20 * MB).at(20 * MB, 0);
  expect(drawBoard(board, 1000, 120)[0]).toMatch(/20\.0 MB, being written out$/);
});
