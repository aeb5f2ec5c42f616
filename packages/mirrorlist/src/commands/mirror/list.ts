import { type MirrorRecord, readMirrors } from "@nearlayer/shared/catalog/mirrors";
import { openCatalogToRead } from "@nearlayer/shared/catalog/read";
import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import type { Config, DeclaredMirror } from "@nearlayer/shared/config/schema";
import { formatTable } from "../table.ts";
import { declaredOf } from "./open.ts";

/** A mirror of the network, with what was declared of it as far as this version can read it. */
export interface ListedMirror extends Partial<DeclaredMirror> {
  readonly name: string;
  readonly declaredBy: "operator" | "mirror";
  readonly state: MirrorState;
  readonly reason: string;
  /** Since when it has been in that state; undefined before a server has seen it. */
  readonly since?: string;
  readonly approvedAt?: string;
}

/** All mirrors: those of the file, in its order, and those that have opted in. */
export async function listMirrors(config: Config): Promise<ListedMirror[]> {
  await using catalog = await openCatalogToRead(config.catalog);
  const { changed } = await readMirrors(catalog);
  const rows = new Map(changed.map((record) => [record.name, record]));
  const own = config.mirrors.map((declared) => {
    const record = rows.get(declared.name);
    return record?.declaredBy === "operator" ? listed(record, config) : notSeen(declared);
  });
  const names = new Set(config.mirrors.map(({ name }) => name));
  const others = changed.filter(({ name, declaredBy }) => declaredBy === "mirror" && !names.has(name));
  return [...own, ...others.map((record) => listed(record, config))];
}

export function listed(record: MirrorRecord, config: Config): ListedMirror {
  const { name, declaredBy, state, reason, stateSince, approvedAt } = record;
  const declared = declaredOf(record, config);
  const isOff = declared?.disabled === true && state !== "disabled";
  return {
    ...declared,
    name,
    declaredBy,
    state: isOff ? "disabled" : state,
    reason: isOff ? DISABLED_IN_FILE : reason,
    since: stateSince,
    ...(approvedAt === null ? {} : { approvedAt }),
  };
}

const DISABLED_IN_FILE = "disabled in the operator's configuration";

function notSeen(declared: DeclaredMirror): ListedMirror {
  const state = declared.disabled ? "disabled" : "checking";
  const reason = declared.disabled ? DISABLED_IN_FILE : "no server has seen it yet";
  return { ...declared, declaredBy: "operator", state, reason };
}

export function summarizeMirrors(mirrors: readonly ListedMirror[]): string {
  if (mirrors.length === 0)
    return "no mirrors: declare one in the configuration, or see `mirrorlist mirror add --help`";
  const rows = mirrors.map((mirror) => [
    mirror.name,
    mirror.state,
    mirror.since?.slice(0, 16).replace("T", " ") ?? "-",
    mirror.declaredBy === "operator" ? "file" : "opted in",
    mirror.country ?? "?",
    mirror.bandwidth ?? "?",
    mirror.platforms?.join(",") ?? "all",
    mirror.private === true ? "private" : "open",
    mirror.url ?? "written by a newer version",
    mirror.reason,
  ]);
  const header = ["MIRROR", "STATE", "SINCE (UTC)", "BY", "COUNTRY", "MBIT/S", "PLATFORMS", "TO", "URL", "WHY"];
  return formatTable(header, rows);
}
