import type { Digest } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";

/** What can be wrong with a file under the root. */
export type Fault =
  | "missing" // a blob that is not in the store
  | "size" // another length than the catalog says
  | "bytes" // they do not hash to its name
  | "metadata" // not read-only, or not the constant time: rsync would send it again
  | "link" // not shown in the tree, or by a file of its own
  | "foreign" // a file in the tree that does not belong there
  | "state"; // GENERATION, a list or a delta that is not what the catalog says

/** Something that is wrong. */
export interface Finding {
  readonly fault: Fault;
  /** Below the root. */
  readonly path: string;
  /** What is wrong, in words. */
  readonly reason: string;
  readonly digest?: Digest;
  readonly platform?: Platform;
}
