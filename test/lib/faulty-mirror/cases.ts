import type { ClientName } from "../clients/client.ts";
import { type FaultName, faultNames } from "./faults.ts";
import type { Phase } from "./faulty-mirror.ts";

export const phases = ["before the look", "after the look"] as const satisfies readonly Phase[];

/** One cell of the matrix. */
export interface FaultCase {
  readonly client: ClientName;
  readonly fault: FaultName;
  readonly phase: Phase;
  /** Which mirrors have the fault: the nearest, and the next one is well; or all there are. */
  readonly which: "nearest" | "all";
}

/** Every case of a client. */
export function casesOf(client: ClientName): FaultCase[] {
  return phases.flatMap((phase) =>
    faultNames.flatMap((fault) =>
      (["nearest", "all"] as const).map((which) => ({ client, fault, phase, which })),
    ),
  );
}
