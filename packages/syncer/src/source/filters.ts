import type { SourceConfig } from "@nearlayer/shared/config/schema";
import type { Platform } from "@nearlayer/shared/platform";
import { isRepository, type Repository } from "@nearlayer/shared/reference";
import picomatch from "picomatch";

/** Which repositories, tags and platforms the configuration asks for. */
export interface Filters {
  readonly repository: (name: string) => boolean;
  readonly tag: (name: string) => boolean;
  /** Tags that are left out by name, even when what they belong to is carried. */
  readonly excludesTag: (name: string) => boolean;
  /** Tags that never move. */
  readonly immutable: (name: string) => boolean;
  readonly platform: (name: Platform) => boolean;
  /** The repositories that are named in full, and the patterns: those take a catalog to be of use. */
  readonly names: readonly Repository[];
  readonly patterns: readonly string[];
}

export function createFilters(source: SourceConfig): Filters {
  const { repositories, exclude, tags, excludeTags, platforms, immutableTags } = source;
  const repository = picomatch([...repositories], { ignore: [...exclude] });
  const tag = picomatch([...tags], { ignore: [...excludeTags] });
  const none = () => false;
  return {
    repository: (name) => repository(name),
    tag: (name) => tag(name),
    excludesTag: excludeTags.length === 0 ? none : matcher(excludeTags),
    immutable: immutableTags.length === 0 ? none : matcher(immutableTags),
    platform: matcher(platforms),
    names: repositories.filter(isRepository).filter((name) => repository(name)),
    patterns: repositories.filter((pattern) => !isRepository(pattern)),
  };
}

function matcher(globs: readonly string[]): (name: string) => boolean {
  const matches = picomatch([...globs]);
  return (name) => matches(name);
}
