import { declarationOf, type MirrorRecord, type MirrorsRead } from "@nearlayer/shared/catalog/mirrors";
import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import { type Mirror, type MirrorStatus, mirrorOf } from "./mirror.ts";
import type { Probe } from "./probe.ts";

/**
 * The mirrors as they are known now: those of the operator's file, and those that have opted in. `mirrors()` is one
 * immutable moment; changes swap in whole.
 */
export interface Network {
  mirrors(): readonly Mirror[];
  /** Notes what probes of a mirror have shown; a mirror that is gone meanwhile is passed over. */
  record(name: string, probes: readonly Probe[]): void;
  /** The same for many mirrors at once. */
  recordAll(news: ReadonlyMap<string, readonly Probe[]>): void;
  /** Another file takes the place of this. What is known of a mirror stays, as long as it is the same server. */
  replace(declared: readonly DeclaredMirror[]): void;
  /** Takes in what has changed in the catalog. */
  follow(read: MirrorsRead): void;
  /** Is there a mirror of the file that the catalog does not have, or has as another one? */
  isUnknown(): boolean;
  /** The next probe of each mirror reads the whole of what it shows, unconditionally. */
  forgetConditions(): void;
}

/** What a mirror is made from: while that is the same, so is the mirror. */
interface Origin {
  readonly declared: DeclaredMirror;
  readonly status: MirrorStatus | undefined;
}

/** Declared, and the catalog does not know it yet: nobody has checked it. */
const NEW: MirrorStatus = { declaredBy: "operator", state: "checking", reason: "not checked yet", stateSince: "" };

/** `known` is what the catalog has; without it, the mirrors that are declared take part as they are. */
export function createNetwork(declared: readonly DeclaredMirror[], known?: MirrorsRead): Network {
  let file = declared;
  let rows: ReadonlyMap<string, Origin> | undefined = known && merge(new Map(), known);
  let origins = new Map<string, Origin>();
  let mirrors: readonly Mirror[] = [];

  const rebuild = () => {
    const before = new Map(mirrors.map((mirror) => [mirror.name, mirror]));
    const next = originsOf(file, rows);
    mirrors = [...next].map(([name, origin]) => remake(origin, origins.get(name), before.get(name)));
    origins = next;
  };
  rebuild();
  const recordAll = (news: ReadonlyMap<string, readonly Probe[]>) => {
    mirrors = mirrors.map((mirror) => {
      const probes = news.get(mirror.name);
      if (probes === undefined) return mirror;
      return {
        ...mirror,
        probes: new Map([...mirror.probes, ...probes.map((probe) => [probe.platform, probe] as const)]),
      };
    });
  };
  return {
    mirrors: () => mirrors,
    record: (name, probes) => recordAll(new Map([[name, probes]])),
    recordAll,
    replace(next) {
      file = next;
      rebuild();
    },
    follow(read) {
      rows = merge(rows ?? new Map(), read);
      rebuild();
    },
    isUnknown: () => file.some(({ name }) => rows?.get(name)?.status?.declaredBy !== "operator"),
    forgetConditions() {
      mirrors = mirrors.map((mirror) => ({
        ...mirror,
        probes: new Map([...mirror.probes].map(([platform, { etag, lastModified, ...probe }]) => [platform, probe])),
      }));
    },
  };
}

/** The rows that there are now. One that cannot be read (a newer version wrote it) is no mirror here. */
function merge(rows: ReadonlyMap<string, Origin>, { changed, names }: MirrorsRead): Map<string, Origin> {
  const next = new Map(rows);
  for (const record of changed) {
    const declared = declarationOf(record);
    if (declared === undefined) next.delete(record.name);
    else next.set(record.name, { declared, status: statusOf(record) });
  }
  const isThere = new Set(names);
  for (const name of next.keys()) if (!isThere.has(name)) next.delete(name);
  return next;
}

const statusOf = ({ declaredBy, state, reason, stateSince }: MirrorRecord): MirrorStatus => ({
  declaredBy,
  state,
  reason,
  stateSince,
});

/** The operator's file first; a mirror that had opted in under a name of the file is not the one that is meant. */
function originsOf(file: readonly DeclaredMirror[], rows: ReadonlyMap<string, Origin> | undefined) {
  const origins = new Map<string, Origin>();
  for (const declared of file) {
    const status = rows?.get(declared.name)?.status;
    const own = status?.declaredBy === "operator" ? status : NEW;
    origins.set(declared.name, { declared, status: rows && own });
  }
  for (const [name, row] of rows ?? []) {
    if (row.status?.declaredBy === "mirror" && !origins.has(name)) origins.set(name, row);
  }
  return origins;
}

function remake(origin: Origin, old: Origin | undefined, before: Mirror | undefined): Mirror {
  if (before !== undefined && old?.declared === origin.declared && old.status === origin.status) return before;
  const mirror = mirrorOf(origin.declared, origin.status);
  const isSame =
    before?.url === mirror.url &&
    before.allowPrivateAddress === mirror.allowPrivateAddress &&
    before.declaredBy === mirror.declaredBy;
  return isSame ? { ...mirror, probes: before.probes } : mirror;
}
