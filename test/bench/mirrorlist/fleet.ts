import { join } from "node:path";
import { type Daemon, startDaemon } from "../../lib/process/daemon.ts";
import { freePort } from "../../lib/process/ports.ts";

/** Where the mirrors stand, in turn. */
const COUNTRIES = (
  "US DE JP FR GB NL CN BR IN CA AU RU IT ES SE PL CZ AT CH KR TW SG ZA MX AR CL FI NO DK BE PT GR TR UA RO HU BG RS IL " +
  "TH VN ID MY PH NZ IE EE LV LT KE"
).split(" ");

/** A mirror as the configuration declares it. */
export interface BenchMirror {
  readonly name: string;
  readonly url: string;
  readonly country: string;
  readonly bandwidth: number;
  readonly allowPrivateAddress: true;
}

/** Servers that are mirrors. */
export interface Fleet extends AsyncDisposable {
  /** The first `count` of as many mirrors as anybody wants: each has a folder of its own on one of a few ports. */
  mirrors(count: number): BenchMirror[];
}

const PORTS = 8;

export async function startFleet(dir: string): Promise<Fleet> {
  const ports = await Promise.all(Array.from({ length: PORTS }, freePort));
  const daemon: Daemon = await startDaemon({
    name: "mirrors",
    dir,
    command: [process.execPath, join(import.meta.dirname, "mirror-server.ts"), ...ports.map(String)],
    ready: async () => (await fetch(`http://127.0.0.1:${ports.at(-1)}/`)).status === 404,
  });
  return {
    mirrors: (count) =>
      Array.from({ length: count }, (_, index) => ({
        name: `m${index}`,
        url: `http://127.0.0.1:${ports[index % PORTS]}/m${index}/`,
        country: COUNTRIES[index % COUNTRIES.length] ?? "US",
        bandwidth: [100, 1000, 10_000][index % 3] ?? 1000,
        allowPrivateAddress: true,
      })),
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}
