import { approveMirror, enableMirror, setMirrorState, wantProbe } from "@nearlayer/shared/catalog/mirror-states";
import { readMirror, removeMirror } from "@nearlayer/shared/catalog/mirrors";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { type ListedMirror, listed } from "./list.ts";
import { declaredOf, findMirror, timestamp, unknownMirror, withCatalog } from "./open.ts";

/** A mirror as a command has left it. */
export interface ChangedMirror extends ListedMirror {
  /** False when it was as it should be already. */
  readonly changed: boolean;
}

async function changed(catalog: Catalog, config: Config, name: string, isChanged: boolean): Promise<ChangedMirror> {
  const record = await readMirror(catalog, name);
  if (record === undefined) throw unknownMirror(name);
  return { ...listed(record, config), changed: isChanged };
}

/** The operator approves of a mirror that has opted in; it takes part once its proof has been seen. */
export async function approve(config: Config, name: string): Promise<ChangedMirror> {
  return withCatalog(config, async (catalog) => {
    const before = await findMirror(catalog, config, name);
    if (before.declaredBy === "operator") return changed(catalog, config, name, false);
    await approveMirror(catalog, name, timestamp());
    return changed(catalog, config, name, before.approvedAt === null);
  });
}

/** Nobody is sent there any more, until it is enabled. */
export async function disable(
  config: Config,
  name: string,
  reason = "disabled by the operator",
): Promise<ChangedMirror> {
  return withCatalog(config, async (catalog) => {
    await findMirror(catalog, config, name);
    const transition = { name, to: "disabled", reason: clause(reason), actor: "operator" } as const;
    const applied = await setMirrorState(catalog, transition, timestamp());
    return changed(catalog, config, name, applied !== undefined);
  });
}

/** Is checked again, and then takes part. */
export async function enable(config: Config, name: string): Promise<ChangedMirror> {
  return withCatalog(config, async (catalog) => {
    const record = await findMirror(catalog, config, name);
    if (declaredOf(record, config)?.disabled) {
      throw new NearlayerError("USAGE", `${name} is disabled in the configuration`, {
        hint: "take `disabled: true` out of its declaration there, and send SIGHUP to the server",
      });
    }
    const enabled = await enableMirror(catalog, name, timestamp());
    if (enabled === undefined) await wantProbe(catalog, name, timestamp());
    return changed(catalog, config, name, enabled !== undefined);
  });
}

/** What a removal has taken out. */
export interface RemovedMirror {
  readonly name: string;
  readonly removed: true;
}

/** Takes a mirror that has opted in out of the network. It may opt in again, unlike one that is disabled. */
export async function remove(config: Config, name: string, reason = "removed by the operator"): Promise<RemovedMirror> {
  return withCatalog(config, async (catalog) => {
    const removal = { actor: "operator", reason: clause(reason), at: timestamp() } as const;
    const isDeclared = config.mirrors.some((mirror) => mirror.name === name);
    const outcome = isDeclared ? undefined : await removeMirror(catalog, name, removal);
    if (outcome?.kind === "removed") return { name, removed: true };
    if (outcome?.kind === "unknown") throw unknownMirror(name);
    throw new NearlayerError("USAGE", `${name} is declared in the configuration`, {
      hint: `take it out there and send SIGHUP to the server; at once: mirrorlist mirror disable ${name}`,
    });
  });
}

const MAX_REASON = 200;

/** One line, as it is shown to people. */
function clause(text: string): string {
  if (text.length <= MAX_REASON && /^\P{C}+$/u.test(text)) return text;
  throw new NearlayerError("USAGE", `a reason is one line of at most ${MAX_REASON} characters`);
}

export function summarizeChanged({ name, state, reason, changed }: ChangedMirror): string {
  return `${name} is ${state}${changed ? "" : " as before"}: ${reason}`;
}
