import type { Propagated } from "@nearlayer/shared/catalog/history";
import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";

/** How far a generation has come among the mirrors that are in use. Pure. */
export function measurePropagation(
  mirrors: readonly Mirror[],
  {
    platform,
    generation,
    madeAt,
  }: { readonly platform: Platform; readonly generation: number; readonly madeAt: string },
  at: string,
): Propagated {
  let [carrying, having] = [0, 0];
  for (const mirror of mirrors) {
    if (mirror.disabled || (mirror.state !== "active" && mirror.state !== "stale")) continue;
    const counted = mirror.probes.get(platform)?.generation;
    // One that names no platforms carries what it has.
    if (mirror.platforms === undefined ? counted === undefined : !mirror.platforms.has(platform)) continue;
    carrying += 1;
    if (counted !== undefined && counted >= generation) having += 1;
  }
  const whenPart = (part: number) => (carrying > 0 && having >= carrying * part ? at : null);
  return {
    platform,
    generation,
    madeAt,
    mirrors: carrying,
    halfAt: whenPart(0.5),
    ninetyAt: whenPart(0.9),
    allAt: whenPart(1),
  };
}
