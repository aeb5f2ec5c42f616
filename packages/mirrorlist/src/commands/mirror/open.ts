import { ensureDeclared } from "@nearlayer/shared/catalog/mirror-declared";
import { declarationOf, type MirrorRecord, readMirror } from "@nearlayer/shared/catalog/mirrors";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import type { Config, DeclaredMirror } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";

/** The time as the catalog writes it. */
export const timestamp = () => new Date().toISOString();

/** Works on the catalog, beside a server that may run or not: whoever watches it sees what changes within a second. */
export async function withCatalog<T>(
  { catalog: location }: Config,
  work: (catalog: Catalog) => Promise<T>,
): Promise<T> {
  await using catalog = await openCatalog(location);
  return await work(catalog);
}

/** The mirror with that name. One that the file declares and no server has seen yet is written down first. */
export async function findMirror(catalog: Catalog, { mirrors }: Config, name: string): Promise<MirrorRecord> {
  const declared = mirrors.find((mirror) => mirror.name === name);
  if (declared !== undefined) await ensureDeclared(catalog, [declared], timestamp(), { keepOthers: true });
  const record = await readMirror(catalog, name);
  if (record === undefined) throw unknownMirror(name);
  return record;
}

export function unknownMirror(name: string): NearlayerError {
  return new NearlayerError("NOT_FOUND", `no mirror is called ${name}`, {
    hint: "`mirrorlist mirror list` shows those that there are",
  });
}

/** What a mirror has declared; for one that the file declares, the file counts. */
export function declaredOf(record: MirrorRecord, { mirrors }: Config): DeclaredMirror | undefined {
  return mirrors.find(({ name }) => name === record.name) ?? declarationOf(record);
}
