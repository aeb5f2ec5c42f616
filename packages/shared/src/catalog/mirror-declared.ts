import { isDeepStrictEqual } from "node:util";
import type { DeclaredMirror } from "../config/schema.ts";
import { recordChange, withRevision } from "./mirror-rows.ts";
import { declarationOf, deleteMirror, forgetSeen, type MirrorRecord, placeOf } from "./mirrors.ts";
import type { Catalog } from "./open.ts";
import type { MirrorState } from "./schema-network.ts";

/** What the operator's file has changed in the catalog. */
export interface DeclaredOutcome {
  /** Names that mirrors had opted in with: the file's are others, and theirs are no more. */
  readonly replaced: readonly string[];
  /** Names that the file no longer has. */
  readonly removed: readonly string[];
}

const IN_FILE = "declared in the operator's configuration";
const FILE_DISABLES = "disabled in the operator's configuration";

/**
 * Brings the rows of the mirrors that the operator's file declares in line with it: new ones and those that have moved
 * are `checking`, those that have left the file are removed. What the file says of a name is what counts, also where a
 * mirror has opted in with it; with `keepOthers`, these are not all that the file has. What the operator disabled by command stays disabled. Nothing is written when nothing
 * changes.
 */
export async function ensureDeclared(
  catalog: Catalog,
  declared: readonly DeclaredMirror[],
  at: string,
  { keepOthers = false } = {},
): Promise<DeclaredOutcome> {
  const before = await planOf(catalog, declared, keepOthers);
  if (before.writes.length === 0 && before.left.length === 0) return { replaced: [], removed: [] };
  return catalog.transaction().execute(async (transaction) => {
    const { writes, left } = await planOf(transaction, declared, keepOthers);
    await withRevision(transaction, async (revision) => {
      for (const { row, was, isOther } of writes) {
        if (isOther) await forgetSeen(transaction, row.name);
        const isChange = row.state !== was?.state || was.declaredBy === "mirror";
        const values = {
          ...row,
          stateSince: isChange ? at : was.stateSince,
          createdAt: was?.createdAt ?? at,
          probeWantedAt: isOther && row.state !== "disabled" ? at : (was?.probeWantedAt ?? null),
          revision,
        };
        await transaction
          .insertInto("mirror")
          .values(values)
          .onConflict((c) => c.column("name").doUpdateSet(values))
          .execute();
        if (isChange) await recordChange(transaction, row, was?.state ?? null, at, "operator");
      }
    });
    for (const row of left) {
      await deleteMirror(transaction, row, { actor: "operator", reason: `no longer ${IN_FILE}`, at });
    }
    return {
      replaced: writes.flatMap(({ row, was }) => (was?.declaredBy === "mirror" ? [row.name] : [])),
      removed: left.map(({ name }) => name),
    };
  });
}

type Row = Omit<MirrorRecord, "stateSince" | "createdAt" | "probeWantedAt" | "revision">;

interface Write {
  readonly row: Row;
  readonly was: MirrorRecord | undefined;
  /** Another server stood under the name before. */
  readonly isOther: boolean;
}

async function planOf(
  catalog: Catalog,
  declared: readonly DeclaredMirror[],
  keepOthers: boolean,
): Promise<{ readonly writes: readonly Write[]; readonly left: readonly MirrorRecord[] }> {
  const rows = await catalog.selectFrom("mirror").selectAll().execute();
  const known = new Map(rows.map((row) => [row.name, row]));
  const names = new Set(declared.map(({ name }) => name));
  return {
    writes: declared.flatMap((mirror) => writeOf(mirror, known.get(mirror.name)) ?? []),
    left: keepOthers ? [] : rows.filter(({ name, declaredBy }) => declaredBy === "operator" && !names.has(name)),
  };
}

function writeOf(declared: DeclaredMirror, was: MirrorRecord | undefined): Write | undefined {
  const mine = was?.declaredBy === "operator" ? was : undefined;
  const old = mine && declarationOf(mine);
  if (isDeepStrictEqual(old, declared)) return undefined;
  const isOther = old === undefined || placeOf(old.url) !== placeOf(declared.url);
  const state = stateOf(declared, mine?.state, old?.disabled === false, isOther);
  const reason = declared.disabled ? FILE_DISABLES : IN_FILE;
  return {
    was,
    isOther,
    row: {
      name: declared.name,
      declaredBy: "operator",
      declaration: JSON.stringify(declared),
      proof: null,
      state,
      reason: mine?.state === state ? mine.reason : reason,
      approvedAt: null,
    },
  };
}

function stateOf(
  { disabled }: DeclaredMirror,
  was: MirrorState | undefined,
  fileEnabled: boolean,
  isOther: boolean,
): MirrorState {
  // What the file did not disable was disabled by command, and stays so.
  if (disabled || (was === "disabled" && fileEnabled)) return "disabled";
  return isOther || was === undefined || was === "disabled" ? "checking" : was;
}
