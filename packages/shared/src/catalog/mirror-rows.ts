import { bumpRevision, type Catalog, pendingRevision } from "./open.ts";
import type { MirrorActor, MirrorState } from "./schema-network.ts";

/** As part of a transaction: `work` changes rows of `mirror` and stamps them with the revision; those who watch are told. */
export async function withRevision<T>(transaction: Catalog, work: (revision: number) => Promise<T>): Promise<T> {
  const result = await work(await pendingRevision(transaction, "mirrorRevision"));
  await bumpRevision(transaction, "mirrorRevision");
  return result;
}

/** As part of a transaction: a mirror has come from a state (null: it is new) into the one that it is in. */
export async function recordChange(
  transaction: Catalog,
  { name, state, reason }: { readonly name: string; readonly state: MirrorState; readonly reason: string },
  fromState: MirrorState | null,
  at: string,
  actor: MirrorActor,
): Promise<void> {
  await transaction
    .insertInto("mirrorChange")
    .values({ mirror: name, at, fromState, toState: state, reason, actor })
    .execute();
}
