import type { LookupAddress } from "node:dns";
import { lookup, Resolver } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { createPool } from "../pool.ts";

/** Milliseconds that a name server may take. */
const TIMEOUT_MS = 1500;

/** Finds the addresses of a name; throws what the lookup threw when there are none. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

/**
 * Asks name servers without a thread. The system's own lookup holds one of the four that files are read with, for as long
 * as a name server keeps it waiting: a few mirrors whose name servers are silent would stop all reading. It is asked for
 * what has no dot, and for what name servers do not know (the hosts file does), one name at a time.
 */
export function createResolve(servers?: readonly string[]): Resolve {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  if (servers !== undefined) resolver.setServers(servers);
  const system = createPool(1);
  return async (hostname) => {
    if (hostname.includes(".")) {
      const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
      const found = [
        ...(four.status === "fulfilled" ? four.value.map((address) => ({ address, family: 4 })) : []),
        ...(six.status === "fulfilled" ? six.value.map((address) => ({ address, family: 6 })) : []),
      ];
      if (found.length > 0) return found;
    }
    return system.run(() => lookup(hostname, { all: true }));
  };
}

/** As `net.connect` takes it. `check` throws for a name whose addresses are not to be used, or leaves some out. */
export function lookupBy(
  resolve: Resolve,
  check: (hostname: string, addresses: LookupAddress[]) => LookupAddress[] = (_, addresses) => addresses,
): LookupFunction {
  return (hostname, { all, family }, callback) => {
    resolve(hostname)
      .then((addresses) => check(hostname, addresses))
      .then(
        (addresses) => {
          const wanted = addresses.filter((one) => (family !== 4 && family !== 6 ? true : one.family === family));
          const [first] = wanted;
          if (first === undefined) return callback(new Error(`${hostname} has no address of family ${family}`), "", 0);
          return all ? callback(null, wanted) : callback(null, first.address, first.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, "", 0),
      );
  };
}
