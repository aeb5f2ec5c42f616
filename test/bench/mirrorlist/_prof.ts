import { temporaryFolder } from "../../lib/process/folder.ts";
import { clientPrefixes } from "./clients.ts";
import { startFleet } from "./fleet.ts";
import { blobLoad, manifestLoad } from "./loads.ts";
import { startBare } from "./peers.ts";
import { serve } from "./served.ts";
import { createWrk, rateOf } from "./wrk.ts";
const [blobs="10000", mirrors="200", what="blobs", secs="6", prof=""] = process.argv.slice(2);
await using folder = await temporaryFolder("prof");
const wrk = await createWrk(await folder.at("wrk"), await clientPrefixes(2000));
await using fleet = await startFleet(await folder.at("mirrors"));
if (prof) process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${prof}`;
{
await using s = await serve(await folder.at("p"), `/tmp/engh/${blobs}.db`, fleet.mirrors(Number(mirrors)));
delete process.env.NODE_OPTIONS;
await using bare = await startBare(await folder.at("bare"), "redirect");
const load = (what === "blobs" ? blobLoad : manifestLoad)(s.url, Number(blobs) / 10);
for (let i = 0; i < 3; i++) console.log("ours", Math.round(rateOf(await wrk.run(load, Number(secs)))), "bare", Math.round(rateOf(await wrk.run({ ...load, url: bare.url }, 2))));
console.log(await s.memory(), await s.loopDelay());
}
