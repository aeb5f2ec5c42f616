import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { pubBlobPath } from "@nearlayer/shared/tree";
import { type Fault, type Part, tailOf } from "../pull/verdict.ts";
import { type BlobFinding, type BlobThere, type CheckMeans, checkHead, checkPart } from "./blob-check.ts";

/** Faults for which a mirror is taken out: a client that was sent there would have failed. */
const WRONG: ReadonlySet<Fault> = new Set(["bytes", "length", "encoding", "range", "broken"]);

/** What looks at blobs on a mirror amount to. */
export interface Looked {
  readonly there: BlobThere;
  readonly finding: BlobFinding;
}

export const isWrong = ({ finding: { fault } }: Looked): boolean => fault !== undefined && WRONG.has(fault);
/** It answers, and does not have the blob, or does not give it. */
export const isLacking = ({ finding: { fault } }: Looked): boolean => fault === "missing" || fault === "status";

/** `sha256:0123456789ab has 7 bytes of 9` */
export const describeBlob = ({ there, finding }: Looked): string => `${there.digest.slice(0, 19)} ${finding.detail}`;
/** The same with its platform, where that is not said beside it. */
export const describeLook = (look: Looked): string => `${look.there.platform}: ${describeBlob(look)}`;

/**
 * Looks at a part of a blob, its end by default, as carefully as something that a mirror is taken out for asks for: what
 * broke off is looked at twice, and where our own bytes are others it is ours that are hashed.
 */
export async function lookAt(there: BlobThere, means: CheckMeans, part: Part = tailOf(there.size)): Promise<Looked> {
  // Of an empty blob there is no part.
  const look = () => (there.size === 0 ? checkHead(there, means) : checkPart(there, part, means));
  let finding = await look();
  if (finding.fault === "broken") finding = await look();
  if (finding.fault === "bytes" && !(await isOwnWhole(there, means.root))) {
    finding = { ok: true, detail: "differs from our own copy, which is damaged" };
  }
  return { there, finding };
}

/** Does our own file hash to its name? A damaged tree must not cost all mirrors their good name. */
async function isOwnWhole({ platform, digest }: BlobThere, root: string): Promise<boolean> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(pubBlobPath(root, platform, digest)), hash);
  } catch {
    return false;
  }
  return `sha256:${hash.digest("hex")}` === digest;
}

/** Works through a list, so many at a time; ends early, with what there is, once `isEnough` says so. */
export async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
  isEnough: (result: R) => boolean = () => false,
): Promise<R[]> {
  const queue = [...items];
  const results: R[] = [];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const result = await work(item);
      results.push(result);
      if (isEnough(result)) queue.length = 0;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}
