import type { PRESETS, RuleConfig } from "@nearlayer/shared/config/events";
import { parsePointer, parseTemplate } from "@nearlayer/shared/config/template";

/** A rule with all that it needs. */
export interface Rule extends Omit<RuleConfig, "use" | "topic" | "repository"> {
  readonly topic: string;
  readonly repository: NonNullable<RuleConfig["repository"]>;
  /** Is it about what fedmsg wraps up as `msg`, wherever a message comes wrapped like that? */
  readonly unwraps?: boolean;
}

const presets: Record<(typeof PRESETS)[number], Rule> = {
  /**
   * A tag was pushed to a distribution registry (its docs/content/about/notifications.md). The manifests that an index
   * names are pushed without a tag, before it: the index brings them along.
   */
  "registry-push": {
    topic: "registry.push",
    when: [{ pointer: parsePointer("/target/tag"), value: { exists: true } }],
    repository: parseTemplate("{/target/repository}"),
    tag: parseTemplate("{/target/tag}"),
    digest: parseTemplate("{/target/digest}"),
  },
  /**
   * A build is complete: Koji's state 1. Packages come this way too, so that it is no failure when the source has no
   * such image.
   */
  "koji-build": {
    topic: "#.buildsys.build.state.change",
    when: [
      { pointer: parsePointer("/attribute"), value: "state" },
      { pointer: parsePointer("/new"), value: 1 },
    ],
    repository: parseTemplate("{/name}"),
    tag: parseTemplate("{/version}-{/release}"),
    optional: true,
    unwraps: true,
  },
  /** An update is stable, and several tags of its containers move: all of each repository is looked at. */
  "bodhi-stable": {
    topic: "#.bodhi.update.complete.stable",
    each: parsePointer("/update/builds"),
    when: [{ pointer: parsePointer("./type"), value: "container" }],
    repository: parseTemplate("{/update/release/branch}/{./nvr|name}"),
    optional: true,
    unwraps: true,
  },
};

/** The rules of the configuration with what they use filled in. */
export function completeRules(rules: readonly RuleConfig[]): Rule[] {
  return rules.map(({ use, ...own }) => {
    const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    return { ...(use === undefined ? {} : presets[use]), ...said } as Rule;
  });
}
