import { centroidOf } from "../../geo/centroids.ts";
import { describeMirrors, type MirrorDescription } from "../../mirrors/describe.ts";
import type { DayOfRedirects, Overview } from "../../records/records.ts";
import type { Snapshot } from "../../served/snapshot.ts";
import type { Context } from "../deps.ts";
import type { MapMirror } from "./map.ts";

/** What everybody may know of the network now, and what could not be read of it. */
export interface Shown {
  readonly snapshot: Snapshot;
  readonly mirrors: readonly MirrorDescription[];
  readonly overview: Overview | undefined;
  readonly day: DayOfRedirects | undefined;
  readonly notices: readonly string[];
  readonly now: number;
}

type Sources = Pick<Context, "records" | "network" | "snapshot" | "now">;

/** From memory, with what the catalog adds to it. Cost: a look at each platform of each mirror. */
export async function showNetwork({ records, network, snapshot, now }: Sources): Promise<Shown> {
  const [overview, day] = await Promise.all([records.overview(), records.redirects()]);
  const [current, at] = [snapshot(), now()];
  const read = { overview: overview.value, day: day.value, now: at };
  const mirrors = describeMirrors(network.mirrors(), current.generations, read);
  const isMissing = overview.isMissing || day.isMissing;
  const notice =
    overview.value === undefined
      ? "The catalog cannot be read just now: lags, shares and history are missing. Pulls go on from memory."
      : "The catalog cannot be read just now: lags and shares may be old. Pulls go on from memory.";
  return { snapshot: current, mirrors, ...read, notices: isMissing ? [notice] : [] };
}

/** Where the mirrors are. A private one is somewhere in its country. */
export function placesOf({ mirrors }: Shown, network: Context["network"]): MapMirror[] {
  const positions = new Map(network.mirrors().map(({ name, position }) => [name, position]));
  return mirrors.flatMap(({ name, state, country, private: isPrivate }) => {
    const position = isPrivate ? centroidOf(country) : positions.get(name);
    return position === undefined ? [] : [{ name, state, position }];
  });
}
