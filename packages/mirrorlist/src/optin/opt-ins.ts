import { randomBytes } from "node:crypto";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import { wantProbe } from "@nearlayer/shared/catalog/mirror-states";
import {
  addMirror,
  changeMirror,
  isProofOf,
  type MirrorRecord,
  placeOf,
  readMirror,
  removeExpired,
  removeMirror,
} from "@nearlayer/shared/catalog/mirrors";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Config, DeclaredMirror } from "@nearlayer/shared/config/schema";
import { proofOfToken } from "@nearlayer/shared/proof";
import type { CheckAsn } from "./check-asn.ts";
import type { Request } from "./parse.ts";
import { declared, explainRefusal, type Refusal, refuse } from "./refusal.ts";

/** How long a mirror's request waits for other writers of the catalog, in milliseconds. */
const WRITE_MS = 10_000;

/** What has become of a request. */
export type Outcome =
  | Refusal
  | { readonly kind: "added"; readonly record: MirrorRecord; readonly token: string }
  | { readonly kind: "changed" | "unchanged" | "removed"; readonly record: MirrorRecord };

/** Opting in and out, by whatever way it is asked for. */
export interface OptIns {
  /** A new mirror, which is pending until its proof was seen. Without a token, one is made. */
  join(declared: DeclaredMirror, token?: string): Promise<Outcome>;
  /** A mirror declares itself otherwise. */
  change(declared: DeclaredMirror, token: string): Promise<Outcome>;
  /** A mirror leaves: nobody is sent there any more. */
  leave(name: string, token: string): Promise<Outcome>;
  /** What an upload asks for: whether it is new or a change, the catalog knows. Doing it twice is doing it once. */
  submit(request: Request): Promise<Outcome>;
  /** Asks for a probe soon. Nothing that a check-in says is believed. */
  checkIn(name: string): Promise<Refusal | Found>;
  read(name: string): Promise<Refusal | Found>;
  /** Takes out who has been pending for too long. Resolves with their names. */
  expire(): Promise<readonly string[]>;
}

export interface Found {
  readonly kind: "found";
  readonly record: MirrorRecord;
}

export interface OptInDeps {
  /** It may be one that does not wait (`failWhenBusy`). */
  readonly catalog: Catalog;
  readonly config: () => Pick<Config, "optin" | "mirrors">;
  readonly checkAsn: CheckAsn;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Called after each change: it should be seen at once. */
  readonly onChange?: () => Promise<void>;
  /** The operator does it, for a mirror. */
  readonly byOperator?: boolean;
}

export function makeToken(): string {
  return randomBytes(32).toString("hex");
}

export function createOptIns(deps: OptInDeps): OptIns {
  const { catalog, config, checkAsn, now, byOperator = false } = deps;
  const at = (epoch = now()) => new Date(epoch).toISOString();
  const actor = byOperator ? "operator" : "mirror";
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = await whenFree(work, WRITE_MS);
    // It is written: whoever cannot read it just now sees it later.
    await deps.onChange?.().catch(() => undefined);
    return result;
  };

  /** What the operator's file has may not be in the catalog yet. */
  const clash = ({ name, url }: DeclaredMirror): Refusal | undefined => {
    const other = config().mirrors.find((mirror) => mirror.name === name || placeOf(mirror.url) === placeOf(url));
    if (other === undefined || other.name === name) return other && declared(name);
    return refuse(
      "TAKEN",
      `the mirror ${other.name} is at that URL already`,
      "the operator's configuration declares it",
    );
  };

  const join = async (mirror: DeclaredMirror, token = makeToken()): Promise<Outcome> => {
    const refusal = clash(mirror) ?? (await checkAsn(mirror));
    if (refusal !== undefined) return refusal;
    const { maxPending, pendingFor, policy } = config().optin;
    const waits = policy === "approve" && !byOperator ? "its proof and the operator's approval" : "its proof";
    const reason = `opted in: waiting for ${waits}`;
    const added = await write(async () => {
      await removeExpired(catalog, at(now() - pendingFor), at());
      const proof = proofOfToken(token);
      return addMirror(
        catalog,
        { declared: mirror, proof, actor, reason, at: at(), isApproved: byOperator },
        { maxPending },
      );
    });
    return added.kind === "added" ? { ...added, token } : explainRefusal(added, mirror.name);
  };

  /** Asked before a writer's turn is taken: whoever has no token takes none. */
  const authorize = async (name: string, token: string): Promise<Refusal | undefined> => {
    const record = await readMirror(catalog, name);
    if (record === undefined) return explainRefusal({ kind: "unknown" }, name);
    if (record.declaredBy === "operator") return declared(name);
    return isProofOf(record, proofOfToken(token))
      ? undefined
      : explainRefusal({ kind: "wrong-proof", by: record }, name);
  };

  const change = async (mirror: DeclaredMirror, token: string): Promise<Outcome> => {
    const refusal = (await authorize(mirror.name, token)) ?? clash(mirror) ?? (await checkAsn(mirror));
    if (refusal !== undefined) return refusal;
    const needsApproval = config().optin.policy === "approve";
    const change = { proof: proofOfToken(token), at: at(), needsApproval };
    const changed = await write(() => changeMirror(catalog, mirror, change));
    return "record" in changed ? changed : explainRefusal(changed, mirror.name);
  };

  const leave = async (name: string, token: string): Promise<Outcome> => {
    const refusal = await authorize(name, token);
    if (refusal !== undefined) return refusal;
    const removal = { actor, reason: "opted out", at: at(), proof: proofOfToken(token) } as const;
    const removed = await write(() => removeMirror(catalog, name, removal));
    return "record" in removed ? removed : explainRefusal(removed, name);
  };

  return {
    join,
    change,
    leave,
    async submit(request) {
      const { token } = request;
      if (token === undefined) return refuse("TOKEN_WRONG", "no token", "add `token:` with 64 hexadecimal digits");
      if (request.kind === "opt-out") return leave(request.name, token);
      const before = await readMirror(catalog, request.declared.name);
      return before === undefined ? join(request.declared, token) : change(request.declared, token);
    },
    async checkIn(name) {
      const record = await whenFree(() => wantProbe(catalog, name, at()), WRITE_MS);
      if (record?.state === "disabled") return explainRefusal({ kind: "disabled", by: record }, name);
      return found(record, name);
    },
    async expire() {
      const before = at(now() - config().optin.pendingFor);
      return whenFree(() => removeExpired(catalog, before, at()), WRITE_MS);
    },
    async read(name) {
      return found(await readMirror(catalog, name), name);
    },
  };
}

function found(record: MirrorRecord | undefined, name: string): Refusal | Found {
  return record === undefined ? explainRefusal({ kind: "unknown" }, name) : { kind: "found", record };
}
