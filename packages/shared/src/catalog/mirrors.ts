import { timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Selectable } from "kysely";
import { type DeclaredMirror, mirrorSchema } from "../config/schema.ts";
import { recordChange, withRevision } from "./mirror-rows.ts";
import { type Catalog, readRevision } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";
import type { MirrorActor } from "./schema-network.ts";
import { readMoment } from "./transaction.ts";

/** A mirror as the catalog keeps it: see schema-network.ts. */
export type MirrorRecord = Selectable<CatalogSchema["mirror"]>;

/** A change of state, as the catalog keeps it. */
export type MirrorChange = Selectable<CatalogSchema["mirrorChange"]>;

/** What has changed among the mirrors since a revision. */
export interface MirrorsRead {
  /** The revision to ask with the next time. */
  readonly revision: number;
  readonly changed: readonly MirrorRecord[];
  /** The names of all that there are: one that is missing has been removed. */
  readonly names: readonly string[];
}

/** The mirrors that have changed since a revision; all of them without one. Cost: a row for each, and all names. */
export async function readMirrors(catalog: Catalog, after = -1): Promise<MirrorsRead> {
  return readMoment(catalog, async (moment) => {
    const revision = await readRevision(moment, "mirrorRevision");
    const changed = await moment
      .selectFrom("mirror")
      .selectAll()
      .where("revision", ">", after)
      .orderBy("name")
      .execute();
    if (after < 0) return { revision, changed, names: changed.map(({ name }) => name) };
    const rows = await moment.selectFrom("mirror").select("name").orderBy("name").execute();
    return { revision, changed, names: rows.map(({ name }) => name) };
  });
}

export async function readMirror(catalog: Catalog, name: string): Promise<MirrorRecord | undefined> {
  return catalog.selectFrom("mirror").selectAll().where("name", "=", name).executeTakeFirst();
}

/** The last changes of a mirror, the newest first. They stay when it has gone. */
export async function readMirrorChanges(catalog: Catalog, name: string, limit: number): Promise<MirrorChange[]> {
  return catalog
    .selectFrom("mirrorChange")
    .selectAll()
    .where("mirror", "=", name)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

/** What was declared of a mirror; undefined when a newer version has written what this one cannot read. */
export function declarationOf({ declaration }: MirrorRecord): DeclaredMirror | undefined {
  try {
    return mirrorSchema.parse(JSON.parse(declaration));
  } catch {
    return undefined;
  }
}

/** Why a mirror was not taken in, or not changed. */
export type MirrorRefusal =
  | { readonly kind: "name-taken"; readonly by: MirrorRecord }
  /** Another mirror has the same host and path. */
  | { readonly kind: "url-taken"; readonly by: MirrorRecord }
  | { readonly kind: "too-many-pending"; readonly limit: number }
  /** The operator has disabled it, so that it cannot become another one. */
  | { readonly kind: "disabled"; readonly by: MirrorRecord }
  /** It stands in the operator's file, and is changed there. */
  | { readonly kind: "operators"; readonly by: MirrorRecord }
  /** Whoever asks has not shown the mirror's token. */
  | { readonly kind: "wrong-proof"; readonly by: MirrorRecord }
  | { readonly kind: "unknown" };

/** Is that the sha256 (hex) of the mirror's token? The operator's own mirrors have none. Takes as long for any. */
export function isProofOf({ proof }: Pick<MirrorRecord, "proof">, claimed: string): boolean {
  const [a, b] = [Buffer.from(proof ?? ""), Buffer.from(claimed)];
  return a.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}

/** A mirror that opts in. */
export interface NewMirror {
  readonly declared: DeclaredMirror;
  /** The sha256 (hex) of its token. */
  readonly proof: string;
  readonly actor: MirrorActor;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
  /** The operator approves of it with that: by default it is asked, where it wants to be. */
  readonly isApproved?: boolean;
}

/**
 * Takes a mirror in, as `pending`, and asks for a probe of it. It is refused when its name or its URL is taken, and when
 * as many as `maxPending` are pending already.
 */
export async function addMirror(
  catalog: Catalog,
  { declared, proof, actor, reason, at, isApproved = false }: NewMirror,
  { maxPending }: { readonly maxPending: number },
): Promise<MirrorRefusal | { readonly kind: "added"; readonly record: MirrorRecord }> {
  return catalog.transaction().execute(async (transaction) => {
    const taken = await readMirror(transaction, declared.name);
    if (taken !== undefined) return { kind: "name-taken", by: taken } as const;
    const twin = await findByUrl(transaction, declared);
    if (twin !== undefined) return { kind: "url-taken", by: twin } as const;
    if ((await countPending(transaction)) >= maxPending) {
      return { kind: "too-many-pending", limit: maxPending } as const;
    }
    const record = await withRevision(transaction, async (revision) => {
      const row = {
        name: declared.name,
        declaredBy: "mirror",
        declaration: JSON.stringify(declared),
        proof,
        state: "pending",
        reason,
        stateSince: at,
        createdAt: at,
        approvedAt: isApproved ? at : null,
        probeWantedAt: at,
        revision,
      } as const;
      await transaction.insertInto("mirror").values(row).execute();
      await recordChange(transaction, row, null, at, actor);
      return row;
    });
    return { kind: "added", record } as const;
  });
}

/** How many mirrors wait for their proof, or for the operator. */
export async function countPending(catalog: Catalog): Promise<number> {
  const { count } = await catalog
    .selectFrom("mirror")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("state", "=", "pending")
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Another mirror at the same host and path; http and https are one server. Cost: all mirrors, which are few. */
async function findByUrl(catalog: Catalog, { name, url }: DeclaredMirror): Promise<MirrorRecord | undefined> {
  const others = await catalog.selectFrom("mirror").selectAll().where("name", "!=", name).execute();
  const place = placeOf(url);
  return others.find(({ declaration }) => {
    // What a newer version has written has a URL all the same.
    const { url: other }: { url?: unknown } = JSON.parse(declaration);
    return typeof other === "string" && URL.canParse(other) && placeOf(other) === place;
  });
}

/** What is the same for two URLs that lead to one tree. */
export function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname.replace(/\.$/, "")}:${port}${pathname.replace(/\/+$/, "")}/`;
}

/** What decides who is sent to a mirror. When it changes, what was approved of is another mirror. */
const APPROVED = ["url", "country", "asn", "netblocks", "latitude", "longitude"] as const;

/**
 * Changes what a mirror that opted in has declared, for who has the token with that `proof`. With another URL it is `pending` again, until its proof has been seen
 * there; with `needsApproval` also when it claims other clients, and the operator is asked again.
 */
export async function changeMirror(
  catalog: Catalog,
  declared: DeclaredMirror,
  { proof, at, needsApproval }: { readonly proof: string; readonly at: string; readonly needsApproval: boolean },
): Promise<MirrorRefusal | { readonly kind: "changed" | "unchanged"; readonly record: MirrorRecord }> {
  return catalog.transaction().execute(async (transaction) => {
    const before = await readMirror(transaction, declared.name);
    if (before === undefined) return { kind: "unknown" } as const;
    if (before.declaredBy === "operator") return { kind: "operators", by: before } as const;
    if (!isProofOf(before, proof)) return { kind: "wrong-proof", by: before } as const;
    const old = declarationOf(before);
    if (isDeepStrictEqual(old, declared)) return { kind: "unchanged", record: before } as const;
    const isElsewhere = old === undefined || placeOf(old.url) !== placeOf(declared.url);
    if (isElsewhere && before.state === "disabled") return { kind: "disabled", by: before } as const;
    const twin = await findByUrl(transaction, declared);
    if (twin !== undefined) return { kind: "url-taken", by: twin } as const;
    const isAskedAgain = needsApproval && APPROVED.some((key) => !isDeepStrictEqual(old?.[key], declared[key]));
    const isPending = isElsewhere || (isAskedAgain && before.state !== "disabled");
    const record = await withRevision(transaction, async (revision) => {
      const row: MirrorRecord = {
        ...before,
        declaration: JSON.stringify(declared),
        ...(isAskedAgain ? { approvedAt: null } : {}),
        ...(isPending ? { state: "pending", reason: pendingReason(isElsewhere, declared.url), stateSince: at } : {}),
        ...(before.state === "disabled" ? {} : { probeWantedAt: at }),
        revision,
      };
      await transaction.updateTable("mirror").set(row).where("name", "=", row.name).execute();
      if (isElsewhere) await forgetSeen(transaction, row.name);
      if (isPending && before.state !== "pending") await recordChange(transaction, row, before.state, at, "mirror");
      return row;
    });
    return { kind: "changed", record } as const;
  });
}

const pendingReason = (isElsewhere: boolean, url: string) =>
  isElsewhere
    ? `its URL is now ${url}: waiting for its proof there`
    : "what it declares has changed: waiting for approval";

/**
 * Takes a mirror out; the history of its states stays. A mirror that the operator has disabled cannot leave by itself, or
 * it could come back as a new one. One that the operator's file declares leaves with the file. Given a `proof`, that must
 * be the mirror's.
 */
export async function removeMirror(
  catalog: Catalog,
  name: string,
  { proof, ...removal }: Removal & { readonly proof?: string },
): Promise<MirrorRefusal | { readonly kind: "removed"; readonly record: MirrorRecord }> {
  return catalog.transaction().execute(async (transaction) => {
    const record = await readMirror(transaction, name);
    if (record === undefined) return { kind: "unknown" } as const;
    if (record.declaredBy === "operator") return { kind: "operators", by: record } as const;
    if (proof !== undefined && !isProofOf(record, proof)) return { kind: "wrong-proof", by: record } as const;
    if (record.state === "disabled" && removal.actor === "mirror") return { kind: "disabled", by: record } as const;
    await deleteMirror(transaction, record, removal);
    return { kind: "removed", record } as const;
  });
}

/** Who takes a mirror out, and why; `at` is ISO 8601. */
export interface Removal {
  readonly actor: MirrorActor;
  readonly reason: string;
  readonly at: string;
}

/** As part of a transaction: takes the row away and what was seen of it, and writes down why. */
export async function deleteMirror(
  transaction: Catalog,
  { name, state }: Pick<MirrorRecord, "name" | "state">,
  { actor, reason, at }: Removal,
): Promise<void> {
  await withRevision(transaction, async () => {
    await transaction.deleteFrom("mirror").where("name", "=", name).execute();
    await forgetSeen(transaction, name);
    await recordChange(transaction, { name, state: "disabled", reason }, state, at, actor);
  });
}

/** What was seen of a server says nothing of the next one under the same name. */
export async function forgetSeen(transaction: Catalog, name: string): Promise<void> {
  for (const table of ["mirrorProbe", "mirrorAudit", "crawlLease"] as const) {
    await transaction.deleteFrom(table).where("mirror", "=", name).execute();
  }
}

/** Takes out those that opted in, and have been pending since before `before` (ISO 8601). Resolves with their names. */
export async function removeExpired(catalog: Catalog, before: string, at: string): Promise<string[]> {
  const expired = () =>
    catalog.selectFrom("mirror").select("name").where("state", "=", "pending").where("stateSince", "<", before);
  if ((await expired().execute()).length === 0) return [];
  return catalog.transaction().execute(async (transaction) => {
    const rows = await transaction
      .selectFrom("mirror")
      .select(["name", "state"])
      .where("state", "=", "pending")
      .where("stateSince", "<", before)
      .execute();
    for (const row of rows) {
      await deleteMirror(transaction, row, { actor: "crawler", reason: "it was pending for too long", at });
    }
    return rows.map(({ name }) => name);
  });
}
