import type { Bench, Outcome, Size } from "./bench.ts";
import { imagesOf } from "./bench.ts";
import { allLoads, blobLoad, warmUp } from "./loads.ts";
import { serve } from "./served.ts";
import { atLeast, atMost, seconds as inSeconds, megabytes, milliseconds, number, rate, ratio, speed } from "./table.ts";
import { keepWriting } from "./writer.ts";
import { compare } from "./wrk.ts";

const SMALL: Size = { mirrors: 10, blobs: 100 };

/** The same, with very much and with very little to choose from; and how steadily it goes at half of full load. */
export async function benchScale(bench: Bench, size: Size): Promise<Outcome> {
  const { wrk, fleet, folder, catalogOf, seconds, rounds } = bench;
  await using small = await serve(await folder.at("few"), await catalogOf(SMALL.blobs), fleet.mirrors(SMALL.mirrors));
  await using large = await serve(await folder.at("many"), await catalogOf(size.blobs), fleet.mirrors(size.mirrors));
  const started = await large.memory();
  const loads = { few: blobLoad(small, imagesOf(SMALL)), many: blobLoad(large, imagesOf(size)) };
  await warmUp(wrk, loads.few, seconds);
  await warmUp(wrk, loads.many, seconds);
  const speeds = await compare(wrk, loads, seconds, rounds);
  const [few, many] = [speeds("few"), speeds("many")];

  await large.loopDelay();
  const half = await wrk.runAt(loads.many, seconds * rounds, many.rate / 2);
  const steady = await large.loopDelay();
  let written = 0;
  let changing = steady;
  {
    await using writer = await keepWriting(large.catalog, 5);
    await large.loopDelay();
    await wrk.runAt(loads.many, seconds * rounds, many.rate / 2);
    changing = await large.loopDelay();
    written = writer.written();
  }
  const loaded = await large.memory();
  const everything = allLoads(large, imagesOf(size));
  for (const load of everything) await wrk.run(load, seconds * 3);
  const asked = await large.memory();
  return {
    title: `${number(size.mirrors)} mirrors, ${number(size.blobs)} blobs`,
    lines: [
      { what: "blob redirect", figure: speed(many) },
      { what: `  with ${SMALL.mirrors} mirrors and ${SMALL.blobs} blobs`, figure: speed(few) },
      atLeast("  the one to the other", many.rate / few.rate, 0.8),
      { what: "    by CPU", figure: ratio(few.cost / many.cost) },
      atMost("answers after its start", large.answersAfter, 10, inSeconds),
      atMost("/readyz after its start: all mirrors are probed", large.readyAfter, 10, inSeconds),
      { what: "resident memory at its peak: while it starts", figure: megabytes(started.peak) },
      atMost("  under load", loaded.peak, 600e6, megabytes),
      { what: "  once all images have been asked for", figure: megabytes(asked.peak) },
      { what: "half of full load", figure: rate(half.requests / half.seconds) },
      { what: "  answer time, median", figure: milliseconds(half.p50) },
      { what: "  answer time, p99", figure: milliseconds(half.p99) },
      atMost("  event-loop delay, p99", steady.p99, 10, milliseconds),
      { what: "  event-loop delay, longest", figure: milliseconds(steady.max) },
      atMost(`  while ${written} images are recorded: event-loop delay, p99`, changing.p99, 10, milliseconds),
      { what: "  the longest then", figure: milliseconds(changing.max) },
    ],
  };
}
