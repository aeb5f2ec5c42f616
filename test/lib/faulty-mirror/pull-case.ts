import type { Client } from "../clients/client.ts";
import type { Plot } from "./field.ts";

/** What came of a case. */
export interface Outcome {
  /** Which pull ended well: the first, a later one that a person, a script or kubelet made, or none. */
  readonly endedWell: "at once" | "the second time" | "the third time" | "never";
  /** How often the client asked for the layer until then: at the near mirror, the next one, and the mirror list. */
  readonly asked: { readonly near: number; readonly next: number; readonly list: number };
  /** Who sent the layer, or its last part. */
  readonly servedBy: "near" | "next" | "origin" | "nobody";
}

/** How long a client may take. One that hangs does so for ever: nothing is gained by waiting longer. */
const LIMIT_MS = 60_000;
const HANGING_LIMIT_MS = 8_000;

export async function pullCase(client: Client, plot: Plot, pulls = 3): Promise<Outcome> {
  const timeout = plot.case.fault === "hangs" ? HANGING_LIMIT_MS : LIMIT_MS;
  const { near, next } = plot;
  for (const which of (["at once", "the second time", "the third time"] as const).slice(0, pulls)) {
    const before = next.requests.length;
    const { exitCode, milliseconds } = await client.pull(plot.reference, { timeout });
    // podman that is ended at the limit says that all is well.
    if (exitCode !== 0 || milliseconds >= timeout) continue;
    return outcome(which, next.requests.length > before ? "next" : "near");
  }
  return outcome("never", "nobody");

  function outcome(endedWell: Outcome["endedWell"], mirror: "near" | "next" | "nobody"): Outcome {
    const list = plot.layerRequests();
    const last = list.at(-1);
    const isOrigin = mirror !== "nobody" && last !== undefined && [200, 206].includes(last.status);
    const asked = { near: near.requests.length, next: next.requests.length, list: list.length };
    return { endedWell, asked, servedBy: isOrigin ? "origin" : mirror };
  }
}
