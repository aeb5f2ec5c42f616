import type { ClientName } from "../clients/client.ts";
import type { FaultCase } from "./cases.ts";
import type { FaultName } from "./faults.ts";
import type { Outcome } from "./pull-case.ts";

/** What a client makes of a mirror that fails it. */
export type Recovery =
  | "is not harmed"
  | "moves on" // to the next URL that the manifest names
  | "asks again" // the mirror list, until it is served
  | "asks once more"
  | "takes the whole" // where it asked for the rest, and leaves out what it has
  | "fails" // but the next pull begins anew
  | "is stuck"; // and keeps something that the next pull may stumble over

/** Faults that a look at the blob shows: nobody is sent to a mirror that has one of them from the start. */
const seen: ReadonlySet<FaultName> = new Set([
  ...(["refuses", "hangs", "404", "403", "500", "503", "truncates", "resets"] as const),
  ...(["short file", "zeros at the end", "adds Content-Encoding"] as const),
]);

type Row = Readonly<Record<ClientName, Recovery>>;

const row = (docker: Recovery, containerd: Recovery, podman: Recovery, skopeo: Recovery): Row => ({
  ...{ docker, containerd, podman, skopeo },
});

/**
 * What each client does by itself, measured with Docker 20.10.24, containerd 1.6.20, podman 4.3.1 and skopeo 1.9.3.
 * podman is given urls, the others a 307.
 */
export const recoveries: Readonly<Record<FaultName, Row>> = {
  // Docker asks the registry again; podman tries each URL.
  refuses: row("asks again", "fails", "moves on", "fails"),
  // None has a time limit. Docker's daemon holds on to the download when the pull is interrupted.
  hangs: row("is stuck", "fails", "fails", "fails"),
  "404": row("asks once more", "fails", "moves on", "fails"),
  "403": row("asks once more", "fails", "moves on", "fails"),
  "500": row("asks again", "fails", "moves on", "fails"),
  "503": row("asks again", "fails", "moves on", "fails"),
  // Docker and containerd ask the registry for the rest. podman takes the end of a connection for the end of it.
  truncates: row("asks again", "asks again", "fails", "fails"),
  // podman runs the whole pull again after an error of the network.
  resets: row("asks again", "fails", "asks again", "fails"),
  "short file": row("fails", "fails", "fails", "fails"),
  // containerd keeps as many bytes as there should be, however wrong, and goes on from there.
  "zeros at the end": row("fails", "is stuck", "fails", "fails"),
  "wrong bytes": row("fails", "is stuck", "fails", "fails"),
  "adds Content-Encoding": row("fails", "is stuck", "fails", "fails"),
  // Go's HTTP client undoes what it has asked for itself.
  compresses: row("is not harmed", "is not harmed", "is not harmed", "is not harmed"),
  // As truncates; then Docker begins again, and containerd leaves out what it has.
  "ignores Range": row("asks again", "takes the whole", "fails", "fails"),
};

/** What must come of a case. */
export function expectedOf({ client, fault, phase, which }: FaultCase): Pick<Outcome, "endedWell" | "servedBy"> {
  const nearest = which === "nearest";
  const other = nearest ? "next" : "origin";
  if (isSeen({ fault, phase })) return { endedWell: "at once", servedBy: other };
  switch (recoveries[fault][client]) {
    case "is not harmed":
      return { endedWell: "at once", servedBy: "near" };
    case "moves on":
    case "asks again":
      return { endedWell: "at once", servedBy: other };
    case "asks once more":
      return { endedWell: nearest ? "at once" : "the second time", servedBy: other };
    case "takes the whole":
      // A look shows that it would not get the rest, where the look is not deceived.
      return { endedWell: "at once", servedBy: phase === "before the look" ? other : "next" };
    case "fails":
      return { endedWell: nearest ? "the second time" : "the third time", servedBy: other };
    case "is stuck":
      return { endedWell: "never", servedBy: "nobody" };
  }
}

/** Whether the mirror list can know: then no client ever meets the mirror. */
export function isSeen({ fault, phase }: Pick<FaultCase, "fault" | "phase">): boolean {
  return phase === "before the look" && seen.has(fault);
}

/** How many pulls are worth the time. */
export function pullsFor({ client, fault, phase }: FaultCase): number {
  return recoveries[fault][client] === "is stuck" && !isSeen({ fault, phase }) ? 1 : 3;
}
