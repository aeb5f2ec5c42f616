/** What a client makes of the two deliveries, with where we know it from. */
export interface Agent {
  readonly name: string;
  /** Matched against the beginning of User-Agent. */
  readonly pattern: RegExp;
  readonly handles: "urls" | "redirect";
  /** It does not follow a redirect from https to http. */
  readonly refusesDowngrade?: true;
  readonly evidence: string;
}

/**
 * The clients that we know; the first that matches counts, and everything else gets `redirect`, which all follow.
 * `urls` is for those alone that try one URL after another and keep the layer when they do.
 */
export const AGENTS: readonly Agent[] = [
  {
    name: "skopeo",
    pattern: /^skopeo\//,
    handles: "redirect",
    evidence: "skopeo 1.9.3, measured: copies to a registry or OCI layout skip a layer with urls; sends skopeo/1.9.3",
  },
  {
    name: "podman, or another user of containers/image that does not name itself",
    pattern: /^containers\/[\d.]+.* \(github\.com\/containers\/image\)/,
    handles: "urls",
    evidence: "podman 4.3.1, measured: sends containers/5.23.1 (github.com/containers/image); tries the urls in order",
  },
  { name: "podman", pattern: /^libpod\//, handles: "urls", evidence: "the name podman gives its own transport" },
  { name: "buildah", pattern: /^Buildah\//i, handles: "urls", evidence: "buildah's define.Package; same library" },
  { name: "CRI-O", pattern: /^cri-o\//i, handles: "urls", evidence: "cri-o's useragent package; same library" },
  {
    name: "regclient",
    pattern: /^regclient\//,
    handles: "redirect",
    refusesDowngrade: true,
    evidence: "regclient, from source: refuses https to http; its copy skips a layer with urls",
  },
];

const UNKNOWN: Agent = { name: "unknown", pattern: /^/, handles: "redirect", evidence: "every client follows a 307" };

export function agentOf(userAgent: string | undefined): Agent {
  return AGENTS.find(({ pattern }) => pattern.test(userAgent ?? "")) ?? UNKNOWN;
}
