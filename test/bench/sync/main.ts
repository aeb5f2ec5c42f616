// What a sync costs, beside real peers, on generated images: pnpm bench:sync [-- --small] [-- --only cold,unchanged,many,large]
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startRegistry } from "../../lib/peers/registry.ts";
import { startRsyncDaemon } from "../../lib/peers/rsyncd.ts";
import { temporaryFolder } from "../../lib/process/folder.ts";
import { runOk } from "../../lib/process/run.ts";
import { whyNot } from "../../lib/requirements.ts";
import { benchCold } from "./cold.ts";
import { benchLarge } from "./large.ts";
import { benchMany } from "./many.ts";
import { benchUnchanged } from "./unchanged.ts";

const { values } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    only: { type: "string", default: "cold,unchanged,many,large" },
  },
});
const parts = values.only.split(",");
const sizes = values.small
  ? ({
      cold: { tags: 10, layerSize: 500_000, rounds: 1 },
      unchanged: { repositories: 2, tagsOfEach: 25 },
      many: { sizes: [[50, 20] as const, [500, 20] as const] },
      large: { sizes: [1000, 20_000] },
    } as const)
  : ({
      cold: { tags: 100, layerSize: 3_000_000, rounds: 2 },
      unchanged: { repositories: 10, tagsOfEach: 100 },
      many: { sizes: [[250, 20] as const, [5000, 20] as const] },
      large: { sizes: [1000, 200_000] },
    } as const);

for (const name of ["registry", "rsync", "skopeo"] as const) {
  const reason = await whyNot(name);
  if (reason !== undefined) throw new Error(`${name}: ${reason}`);
}
const versions = await Promise.all(
  [["curl", "--version"] as const, ["skopeo", "--version"] as const, ["rsync", "--version"] as const].map(
    async ([file, ...args]) => (await runOk(file, args)).stdout.split("\n")[0]?.split(" (")[0],
  ),
);
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}; ${versions.join("; ")}`);

await using folder = await temporaryFolder("bench");
await using registry = await startRegistry({ dir: await folder.at("registry") });
if (parts.includes("cold")) await benchCold(registry, await folder.at("cold"), sizes.cold);
if (parts.includes("unchanged")) await benchUnchanged(registry, await folder.at("unchanged"), sizes.unchanged);
if (parts.includes("many")) await benchMany(await folder.at("many"), sizes.many);
if (parts.includes("large")) {
  const dir = await folder.at("large");
  const modules = [{ name: "master", path: join(dir, "master"), readOnly: false }];
  await using daemon = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });
  await benchLarge(registry, daemon, dir, sizes.large);
}
