import { type ClientName, clientNames } from "../clients/client.ts";
import { type FaultName, faultNames } from "./faults.ts";
import type { Phase } from "./faulty-mirror.ts";

/** One cell of the matrix. */
export interface FaultCase {
  readonly client: ClientName;
  readonly fault: FaultName;
  readonly phase: Phase;
  /** Which mirrors have the fault: the nearest, and the next one is well; or all there are. */
  readonly which: "nearest" | "all";
}

export const phases = ["before the look", "after the look"] as const satisfies readonly Phase[];

/** Every case there is. */
export const allCases: readonly FaultCase[] = clientNames.flatMap((client) =>
  phases.flatMap((phase) =>
    faultNames.flatMap((fault) => (["nearest", "all"] as const).map((which) => ({ client, fault, phase, which }))),
  ),
);

/** One case for each thing that can go wrong in Nearlayer, for `npm test`; all of them take minutes. */
const brief: readonly Omit<FaultCase, "client">[] = [
  { phase: "before the look", fault: "refuses", which: "all" },
  { phase: "before the look", fault: "hangs", which: "nearest" },
  { phase: "before the look", fault: "404", which: "nearest" },
  { phase: "before the look", fault: "resets", which: "all" },
  { phase: "before the look", fault: "zeros at the end", which: "nearest" },
  { phase: "before the look", fault: "adds Content-Encoding", which: "nearest" },
  { phase: "before the look", fault: "ignores Range", which: "all" },
  { phase: "after the look", fault: "refuses", which: "nearest" },
  { phase: "after the look", fault: "404", which: "nearest" },
  { phase: "after the look", fault: "truncates", which: "all" },
  { phase: "after the look", fault: "wrong bytes", which: "nearest" },
];

export const briefCases: readonly FaultCase[] = clientNames.flatMap((client) =>
  brief.map((each) => ({ client, ...each })),
);

/** `docker: refuses (nearest), after the look` */
export function titleOf({ client, fault, phase, which }: FaultCase): string {
  return `${client}: ${which === "all" ? "every mirror" : "the nearest mirror"}, ${fault}, ${phase}`;
}
