import type { Repository, Tag } from "@nearlayer/shared/reference";
import picomatch from "picomatch";

/** What is never removed, whatever the source says. */
export interface Archive {
  /** Every manifest that was ever in it stays. */
  readonly keepsRepository: (repository: Repository) => boolean;
  /** The tag stays when the source no longer has it. */
  readonly keepsTag: (repository: Repository, tag: Tag) => boolean;
}

/** Reads patterns such as `fedora/**` (a repository, whole) and `fedora/app:4*` (its tags that match). */
export function createArchive(patterns: readonly string[]): Archive {
  const entries = patterns.map((pattern) => {
    const colon = pattern.indexOf(":");
    return colon < 0
      ? { repository: picomatch(pattern), tag: undefined }
      : { repository: picomatch(pattern.slice(0, colon)), tag: picomatch(pattern.slice(colon + 1)) };
  });
  return {
    keepsRepository: (name) => entries.some(({ repository, tag }) => tag === undefined && repository(name)),
    keepsTag: (name, tagName) =>
      entries.some(({ repository, tag }) => repository(name) && (tag === undefined || tag(tagName))),
  };
}
