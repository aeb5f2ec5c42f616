import type { Look } from "../pull/look.ts";
import type { Metrics } from "./metrics.ts";

/** The same look, and what it has shown is counted. */
export function countLooks(look: Look, metrics: Pick<Metrics, "looked">): Look {
  return async (candidate, digest, size) => {
    const { name } = candidate.mirror;
    try {
      const verdict = await look(candidate, digest, size);
      metrics.looked(name, verdict.ok ? "ok" : "bad");
      return verdict;
    } catch (error) {
      metrics.looked(name, "unreachable");
      throw error;
    }
  };
}
