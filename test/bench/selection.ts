// What the choice of mirrors costs, with few mirrors and with many: node test/bench/selection.ts
import { clientOf, parseAddress } from "@nearlayer/mirrorlist/selection/client";
import { nearest, select } from "@nearlayer/mirrorlist/selection/select";
import { redirectSpread } from "@nearlayer/mirrorlist/selection/spread";
import { AMD64, NOW, seenMirror } from "@nearlayer/mirrorlist/testing/mirrors";
import { digestOf } from "@nearlayer/shared/digest";

const WORLD = ["JP", "DE", "US", "BR", "AU", "ZA", "FR", "GB", "CN", "IN", "KR", "SE", "PL", "IT", "CA"];
const FROM = ["JP", "DE", "AR", "NG", "IS", "US", "MX"];

/** Microseconds for each call; the first calls, before the code is compiled, do not count. */
function measure(call: (index: number) => unknown, times: number): number {
  for (let index = 0; index < times; index++) call(index);
  const start = process.hrtime.bigint();
  for (let index = 0; index < times; index++) call(index);
  return Number(process.hrtime.bigint() - start) / times / 1000;
}

const digests = Array.from({ length: 64 }, (_, index) => digestOf(`${index}`));
const rows = [];
for (const [where, home] of [
  ["all over the world", undefined],
  ["all in one country", "JP"],
] as const) {
  for (const count of [10, 100, 1000]) {
    const mirrors = Array.from({ length: count }, (_, index) =>
      seenMirror(`m${index}`, {
        country: home ?? WORLD[index % WORLD.length],
        bandwidth: 100 * (1 + (index % 7)),
        netblocks: [`${10 + (index % 200)}.${index % 256}.0.0/16`],
      }),
    );
    const requests = Array.from({ length: 512 }, (_, index) => {
      const country = home ?? FROM[index % FROM.length] ?? "JP";
      const client = clientOf(parseAddress(`${20 + (index % 200)}.${(index * 7) % 256}.7.9`) ?? raise(), { country });
      const placements = [{ platform: AMD64, since: 5 }];
      return { client, placements, spread: redirectSpread(client, digests[index % 64] ?? raise()), maxProbeAge: 1000 };
    });
    const one = (index: number) => requests[index % 512] ?? raise();
    rows.push({
      mirrors: `${count} ${where}`,
      "first 3, µs": measure((index) => nearest(one(index), mirrors, NOW, 3), 50_000).toFixed(2),
      "all with reasons, µs": measure((index) => select(one(index), mirrors, NOW), 1000).toFixed(1),
    });
  }
}
console.table(rows);

function raise(): never {
  throw new Error("unreachable");
}
