import { declarationOf, type MirrorRecord } from "@nearlayer/shared/catalog/mirrors";
import { proofFileOf } from "@nearlayer/shared/proof";
import { hidePlaces } from "../../mirrors/hide-places.ts";

/** What a mirror has to show under its base URL, while it has opted in by itself. */
export function proofOf(record: MirrorRecord): { readonly url: string; readonly content: string } | undefined {
  const declared = declarationOf(record);
  return declared === undefined || record.proof === null ? undefined : proofFileOf(declared.url, record.proof);
}

/**
 * A mirror as the API shows it: to everybody without its contact, and without where it is while it is private or nobody
 * has seen yet that it is somebody's.
 */
export function showMirror(record: MirrorRecord, isOwn: boolean) {
  const { name, declaredBy, state, reason, stateSince, createdAt, approvedAt, probeWantedAt } = record;
  const declared = declarationOf(record);
  const proof = proofOf(record);
  const { contact, url, netblocks, asn, allowPrivateAddress: _, disabled: __, ...open } = declared ?? {};
  const isOpen = isOwn || (declared?.private === false && state !== "pending");
  return {
    ...open,
    name,
    ...(isOpen ? { url, netblocks, asn } : {}),
    ...(isOwn ? { contact } : {}),
    declaredBy,
    state,
    reason: isOpen || url === undefined ? reason : hidePlaces(reason, url),
    stateSince,
    createdAt,
    approvedAt,
    probeWantedAt,
    ...(isOpen && proof !== undefined ? { proof } : {}),
  };
}
