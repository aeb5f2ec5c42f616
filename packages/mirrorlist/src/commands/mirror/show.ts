import { type MirrorChange, readMirror, readMirrorChanges } from "@nearlayer/shared/catalog/mirrors";
import { type Audit, type ProbeRecord, readAudits, readProbes } from "@nearlayer/shared/catalog/network-view";
import { openCatalogToRead } from "@nearlayer/shared/catalog/read";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { proofFileOf } from "@nearlayer/shared/proof";
import { formatTable } from "../table.ts";
import { type ListedMirror, listed, listMirrors } from "./list.ts";
import { unknownMirror } from "./open.ts";

const MAX_CHANGES = 20;
const MAX_AUDITS = 10;

/** One mirror, with everything that is known of it. */
export interface ShownMirror extends ListedMirror {
  /** What it shows, or has to show, under its URL; for one that has opted in. */
  readonly proof?: { readonly url: string; readonly content: string };
  /** The newest first. */
  readonly changes: readonly Omit<MirrorChange, "id" | "mirror">[];
  readonly probes: readonly ProbeRecord[];
  readonly audits: readonly Audit[];
}

/** Throws NOT_FOUND when no mirror has the name; of one that has left, the error says why and when. */
export async function showMirror(config: Config, name: string): Promise<ShownMirror> {
  await using catalog = await openCatalogToRead(config.catalog);
  const record = await readMirror(catalog, name);
  const isDeclared = config.mirrors.some((declared) => declared.name === name);
  const isRow = record !== undefined && (!isDeclared || record.declaredBy === "operator");
  const mirror = isRow ? listed(record, config) : (await listMirrors(config)).find((one) => one.name === name);
  const changes = await readMirrorChanges(catalog, name, MAX_CHANGES);
  const [last] = changes;
  if (mirror === undefined) throw last === undefined ? unknownMirror(name) : gone(last);
  return {
    ...mirror,
    ...(isRow && record.proof !== null && mirror.url !== undefined
      ? { proof: proofFileOf(mirror.url, record.proof) }
      : {}),
    changes: changes.map(({ id: _, mirror: __, ...change }) => change),
    probes: await readProbes(catalog, name),
    audits: await readAudits(catalog, name, MAX_AUDITS),
  };
}

function gone({ mirror, reason, at }: MirrorChange): NearlayerError {
  return new NearlayerError("NOT_FOUND", `${mirror} has left the network, ${at}: ${reason}`);
}

export function summarizeMirror(mirror: ShownMirror): string {
  const { name, state, reason, since, declaredBy, changes, probes, audits, proof, approvedAt, ...declared } = mirror;
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const facts = [
    ["state", `${state}${since === undefined ? "" : ` since ${since}`}`],
    ["why", reason],
    ["declared by", declaredBy === "operator" ? "the configuration" : "itself"],
    ...(approvedAt === undefined ? [] : [["approved", approvedAt]]),
    ...(proof === undefined
      ? []
      : [
          ["shows", proof.content.trim()],
          ["at", proof.url],
        ]),
    ...Object.entries(declared).map(([key, value]) => [key, text(value)]),
  ];
  const table = (title: string, header: string[], rows: (string | number)[][]) =>
    rows.length === 0 ? [] : ["", title, formatTable(header, rows)];
  return [
    name,
    ...facts.map(([key = "", value]) => `  ${key.padEnd(20)} ${value}`),
    ...table(
      "last changes",
      ["AT", "FROM", "TO", "BY", "WHY"],
      changes.map(({ at, fromState, toState, actor, reason }) => [at, fromState ?? "-", toState, actor, reason]),
    ),
    ...table(
      "last probes",
      ["PLATFORM", "AT", "GENERATION", "SEEN", "WHY NOT"],
      probes.map(({ platform, at, generation, seenAt, failure }) => [
        platform,
        at,
        generation ?? "-",
        seenAt ?? "never",
        failure ?? "",
      ]),
    ),
    ...table(
      "last audits",
      ["AT", "PLATFORM", "KIND", "RESULT", "DETAIL"],
      audits.map(({ at, platform, kind, ok, detail }) => [at, platform, kind, ok ? "well" : "not well", detail]),
    ),
  ].join("\n");
}
