import { chunksOf } from "./chunks.ts";
import { recordChange, withRevision } from "./mirror-rows.ts";
import { type MirrorRecord, readMirror, readMirrorChanges } from "./mirrors.ts";
import { bumpRevision, type Catalog } from "./open.ts";
import type { MirrorActor, MirrorState } from "./schema-network.ts";

/** A state that a mirror should be in from now on. */
export interface MirrorTransition {
  readonly name: string;
  readonly to: MirrorState;
  /** A clause for people. */
  readonly reason: string;
  readonly actor: MirrorActor;
  /** Only from these states: what was decided by an older one is void when somebody else was faster. Any by default. */
  readonly from?: readonly MirrorState[];
}

/** A transition that has taken place. */
export interface AppliedTransition extends MirrorTransition {
  readonly was: MirrorState;
}

/**
 * Brings mirrors into other states: all of them in one transaction, with a row of history for each change of state, and
 * one new `mirrorRevision`. Nothing is written when nothing changes. The same state with another reason is noted in the
 * row alone, and is no change. `at` is ISO 8601. Resolves with the changes of state.
 */
export async function setMirrorStates(
  catalog: Catalog,
  transitions: readonly MirrorTransition[],
  at: string,
): Promise<AppliedTransition[]> {
  // Most of the time nothing changes: that costs no turn of a writer.
  const due = await dueOf(catalog, transitions);
  if (due.length === 0) return [];
  return catalog.transaction().execute(async (transaction) => {
    const changes = await dueOf(transaction, transitions);
    if (changes.length === 0) return [];
    await withRevision(transaction, async (revision) => {
      for (const { name, to, reason, actor, was } of changes) {
        const since = to === was ? {} : { state: to, stateSince: at };
        await transaction
          .updateTable("mirror")
          .set({ reason, revision, ...since })
          .where("name", "=", name)
          .execute();
        if (to !== was) await recordChange(transaction, { name, state: to, reason }, was, at, actor);
      }
    });
    return changes.filter(({ to, was }) => to !== was);
  });
}

/** The same for one mirror; resolves with undefined when its state has not changed. */
export async function setMirrorState(
  catalog: Catalog,
  transition: MirrorTransition,
  at: string,
): Promise<AppliedTransition | undefined> {
  return (await setMirrorStates(catalog, [transition], at))[0];
}

async function dueOf(catalog: Catalog, transitions: readonly MirrorTransition[]): Promise<AppliedTransition[]> {
  const rows = new Map<string, Pick<MirrorRecord, "state" | "reason">>();
  for (const chunk of chunksOf(transitions)) {
    const names = chunk.map(({ name }) => name);
    const found = await catalog
      .selectFrom("mirror")
      .select(["name", "state", "reason"])
      .where("name", "in", names)
      .execute();
    for (const row of found) rows.set(row.name, row);
  }
  return transitions.flatMap((transition) => {
    const row = rows.get(transition.name);
    if (row === undefined || (transition.from !== undefined && !transition.from.includes(row.state))) return [];
    if (row.state === transition.to && row.reason === transition.reason) return [];
    return [{ ...transition, was: row.state }];
  });
}

/** The operator approves of a mirror; it still has to show its proof. Resolves with undefined when there is none. */
export async function approveMirror(catalog: Catalog, name: string, at: string): Promise<MirrorRecord | undefined> {
  return catalog.transaction().execute(async (transaction) => {
    const before = await readMirror(transaction, name);
    if (before === undefined || before.approvedAt !== null) return before;
    return withRevision(transaction, async (revision) => {
      const isPending = before.state === "pending";
      const news = isPending ? { reason: "approved: waiting for its proof", probeWantedAt: at } : {};
      const record = { ...before, approvedAt: at, revision, ...news };
      await transaction.updateTable("mirror").set(record).where("name", "=", name).execute();
      return record;
    });
  });
}

/**
 * A mirror that was disabled is checked again; one that had not shown its proof by then has to do so. Resolves with
 * undefined when it is not there, or not disabled.
 */
export async function enableMirror(catalog: Catalog, name: string, at: string): Promise<MirrorRecord | undefined> {
  return catalog.transaction().execute(async (transaction) => {
    const before = await readMirror(transaction, name);
    if (before?.state !== "disabled") return undefined;
    const [last] = await readMirrorChanges(transaction, name, 1);
    const state = last?.fromState === "pending" ? "pending" : "checking";
    const reason = state === "pending" ? "enabled: waiting for its proof" : "enabled: to be checked first";
    return withRevision(transaction, async (revision) => {
      const record = { ...before, state, reason, stateSince: at, probeWantedAt: at, revision } as const;
      await transaction.updateTable("mirror").set(record).where("name", "=", name).execute();
      await recordChange(transaction, record, "disabled", at, "operator");
      return record;
    });
  });
}

/**
 * Asks for a probe soon, of any instance's crawler: those who watch `mirrorRevision` are woken, though no row is newer.
 * One that is asked for already stays as it is, and costs one read. Resolves with the mirror, or undefined.
 */
export async function wantProbe(catalog: Catalog, name: string, at: string): Promise<MirrorRecord | undefined> {
  const before = await readMirror(catalog, name);
  if (before === undefined || before.probeWantedAt !== null || before.state === "disabled") return before;
  await catalog.transaction().execute(async (transaction) => {
    await transaction
      .updateTable("mirror")
      .set({ probeWantedAt: at })
      .where("name", "=", name)
      .where("probeWantedAt", "is", null)
      .execute();
    await bumpRevision(transaction, "mirrorRevision");
  });
  return { ...before, probeWantedAt: at };
}

/** The mirrors that somebody asks to be probed, who has waited longest first. */
export async function readWantedProbes(catalog: Catalog): Promise<{ name: string; probeWantedAt: string }[]> {
  const rows = await catalog
    .selectFrom("mirror")
    .select(["name", "probeWantedAt"])
    .where("probeWantedAt", "is not", null)
    .orderBy("probeWantedAt")
    .execute();
  return rows.map(({ name, probeWantedAt }) => ({ name, probeWantedAt: probeWantedAt ?? "" }));
}

/** A probe begins that was asked for at that time; one that was asked for since is still wanted. */
export async function clearWantedProbe(catalog: Catalog, name: string, probeWantedAt: string): Promise<void> {
  await catalog
    .updateTable("mirror")
    .set({ probeWantedAt: null })
    .where("name", "=", name)
    .where("probeWantedAt", "=", probeWantedAt)
    .execute();
}
