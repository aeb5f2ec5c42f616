import { findNeeds, type Need } from "@nearlayer/shared/catalog/listing";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { removeBlob } from "../store/remove.ts";
import { withStore } from "./context.ts";
import type { Run } from "./run.ts";

/** What became of a blob. */
export type DeleteResult = { readonly digest: Digest } & (
  | { readonly outcome: "deleted" | "absent" }
  | { readonly outcome: "refused"; readonly reason: string }
);

/** Deletes blobs from the store, but none that something published needs. */
export async function deleteBlobs(config: Config, digests: readonly Digest[], run: Run): Promise<DeleteResult[]> {
  const work = async ({ catalog, root }: { catalog: Parameters<typeof findNeeds>[0]; root: string }) => {
    const wanted = [...new Set(digests)];
    const needs = await findNeeds(catalog, wanted);
    const results: DeleteResult[] = [];
    for (const digest of wanted) {
      const need = needs.get(digest);
      if (need) results.push({ digest, outcome: "refused", reason: reasonOf(need) });
      else results.push({ digest, outcome: (await removeBlob(root, digest)) ? "deleted" : "absent" });
    }
    return results;
  };
  return withStore(config, "syncer delete", work, run, "store and tree");
}

function reasonOf({ repositories, platforms }: Need): string {
  const reasons = [
    ...(repositories.length > 0 ? [`needed by ${some(repositories)}`] : []),
    ...(platforms.length > 0 ? [`published under ${some(platforms)}`] : []),
  ];
  return reasons.length > 0 ? reasons.join(", ") : "needed by a manifest";
}

function some(names: readonly string[]): string {
  const more = names.length - 3;
  return more > 0 ? `${names.slice(0, 3).join(", ")} and ${more} more` : names.join(", ");
}
