// What events cost, and how long a push takes to those who pull: pnpm bench:events [-- --small] [-- --only burst,latency]
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { temporaryFolder } from "../../lib/process/folder.ts";
import { whyNot } from "../../lib/requirements.ts";
import { benchBurst } from "./burst.ts";
import { benchLatency } from "./latency.ts";

const { values } = parseArgs({
  options: { small: { type: "boolean", default: false }, only: { type: "string", default: "burst,latency" } },
});
const sizes = values.small
  ? { burst: { events: 500, repositories: 20 }, latency: { pushes: 5, known: 20 } }
  : { burst: { events: 5000, repositories: 200 }, latency: { pushes: 50, known: 200 } };

for (const name of ["registry", "rsync", "nginx", "rabbitmq"] as const) {
  const reason = await whyNot(name);
  if (reason !== undefined) throw new Error(`${name}: ${reason}`);
}
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
await using folder = await temporaryFolder("bench");
const parts = values.only.split(",");
if (parts.includes("burst")) await benchBurst(await folder.at("burst"), sizes.burst);
if (parts.includes("latency")) await benchLatency(await folder.at("latency"), sizes.latency);
