// What an answer costs, beside real peers, on made-up catalogs:
// pnpm bench:mirrorlist [--small] [--seconds N] [--rounds N] [--only pulls,scale] [--catalogs DIR]
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryFolder } from "../../lib/process/folder.ts";
import { run } from "../../lib/process/run.ts";
import { makeCatalog } from "./catalog.ts";
import { clientPrefixes } from "./clients.ts";
import { startFleet } from "./fleet.ts";
import { benchPulls } from "./pulls.ts";
import { benchScale } from "./scale.ts";
import { print } from "./table.ts";
import { createWrk } from "./wrk.ts";

const { values } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "2" },
    only: { type: "string", default: "pulls,scale" },
    /** Where the catalogs are kept for the next time; a million blobs take more than a minute. */
    catalogs: { type: "string" },
  },
});
const parts = values.only.split(",");
const effort = { seconds: Number(values.seconds), rounds: Number(values.rounds) };
const sizes = values.small
  ? { pulls: { mirrors: 20, blobs: 10_000 }, large: { mirrors: 100, blobs: 100_000 } }
  : { pulls: { mirrors: 200, blobs: 100_000 }, large: { mirrors: 1000, blobs: 1_000_000 } };

const { exitCode } = await run("wrk", ["--version"]);
if (exitCode === 127) throw new Error("wrk is not installed: apt-get install wrk libnginx-mod-http-geoip2");
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${effort.seconds} s for each run`);

await using folder = await temporaryFolder("bench");
const catalogs = values.catalogs ?? (await folder.at("catalogs"));
await mkdir(catalogs, { recursive: true });
const catalogOf = async (blobs: number): Promise<string> => {
  const file = join(catalogs, `${blobs}.db`);
  if (!existsSync(file)) await makeCatalog(file, { blobs });
  return file;
};
const wrk = await createWrk(await folder.at("wrk"), await clientPrefixes(2000));
await using fleet = await startFleet(await folder.at("mirrors"));
const bench = { wrk, fleet, folder, catalogOf, ...effort };
if (parts.includes("pulls")) {
  const { title, lines } = await benchPulls(bench, sizes.pulls);
  print(title, lines);
}
if (parts.includes("scale")) {
  const { title, lines } = await benchScale(bench, sizes.large);
  print(title, lines);
}
