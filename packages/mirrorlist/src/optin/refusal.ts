import type { MirrorRefusal } from "@nearlayer/shared/catalog/mirrors";

/** Why something was not done for a mirror, in a word that machines can tell apart. */
export type RefusalCode =
  | "INVALID" // what was sent is not right
  | "TAKEN" // the name or the URL is another mirror's
  | "TOKEN_WRONG" // there is no token, or it is not the mirror's
  | "UNKNOWN" // there is no such mirror
  | "DISABLED" // the operator has disabled the mirror
  | "DECLARED" // the operator's file declares the mirror
  | "FULL" // too many mirrors are pending
  | "TOO_MANY" // too many requests from one network
  | "OFF"; // the operator does not take this way of opting in

/** An answer, and not an exception: to be refused is expected. */
export interface Refusal {
  readonly kind: "refused";
  readonly code: RefusalCode;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

export function refuse(code: RefusalCode, message: string, hint: string): Refusal {
  return { kind: "refused", code, message, hint };
}

/** What the catalog refused, in words. */
export function explainRefusal(refusal: MirrorRefusal, name: string): Refusal {
  switch (refusal.kind) {
    case "name-taken":
      return refusal.by.declaredBy === "operator" ? declared(name) : taken(`a mirror is called ${name} already`);
    case "url-taken":
      return taken(`the mirror ${refusal.by.name} is at that URL already`, "one server is one mirror: change that one");
    case "operators":
      return declared(name);
    case "disabled":
      return refuse("DISABLED", `the operator has disabled ${name}: ${refusal.by.reason}`, "ask the operator");
    case "wrong-proof":
      return refuse(
        "TOKEN_WRONG",
        `that is not the token of ${name}`,
        "send the token that was given when it opted in",
      );
    case "too-many-pending":
      return refuse("FULL", `${refusal.limit} mirrors are waiting to be checked`, "try again in a few hours");
    case "unknown":
      return refuse("UNKNOWN", `no mirror is called ${name.slice(0, 100)}`, "it has not opted in here, or has left");
  }
}

function taken(message: string, hint = "choose another name; to change your mirror, send its token along"): Refusal {
  return refuse("TAKEN", message, hint);
}

export function declared(name: string): Refusal {
  return refuse("DECLARED", `the operator's configuration declares ${name}`, "it is changed there: ask the operator");
}

/** What was sent is wrong, in one place or several: a line each. */
export function invalid(problems: readonly string[]): Refusal {
  return refuse("INVALID", problems.join("\n"), "correct it and send it again");
}
