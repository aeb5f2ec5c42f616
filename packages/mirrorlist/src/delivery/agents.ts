import { createLru } from "../lru.ts";

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
 * `urls` is for those alone that try one URL after another and keep the layer when they do. A client that copies would
 * hand the rewritten manifest on, or lose the layers: it gets `redirect`, whatever its library can do.
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
    name: "Docker, classic store",
    pattern: /^docker\/\S+ go\/(?!.*containerd-client\/)/,
    handles: "redirect",
    evidence:
      "Docker 20.10.24, measured: never uses urls of ordinary layers; sends docker/20.10.24 go/… UpstreamClient(…)",
  },
  {
    name: "Docker, containerd's store",
    pattern: /^docker\//,
    handles: "redirect",
    evidence:
      "moby, daemon/containerd/resolver.go: containerd's resolver under the name of Docker; only a 404 moves it to the next url",
  },
  {
    name: "containerd, ctr, nerdctl, k3s",
    pattern: /^containerd\//,
    handles: "redirect",
    evidence:
      "containerd 1.6.20, measured, and remotes/docker/resolver.go, whose default User-Agent is containerd/VERSION: urls first, but a refused or 5xx first one fails the pull",
  },
  {
    name: "BuildKit",
    pattern: /^buildkit\//,
    handles: "redirect",
    evidence: "buildkit, version/version.go: buildkit/VERSION on containerd's resolver, as containerd",
  },
  {
    name: "go-containerregistry: crane, ko and others",
    pattern: /^(?:crane|ko|cosign|gcrane)\/|^go-containerregistry/,
    handles: "redirect",
    evidence: "pkg/v1/remote, from source: asks the registry first, urls when that fails; crane copies",
  },
  {
    name: "kaniko",
    pattern: /^kaniko\//,
    handles: "redirect",
    evidence: "kaniko, pkg/executor/push.go: kaniko/VERSION on go-containerregistry, as crane",
  },
  {
    name: "ORAS, Helm, Flux and other users of oras-go",
    pattern: /^(?:oras|oras-go|Helm|notation)\b/i,
    handles: "redirect",
    evidence:
      "oras-go, registry/remote/auth/client.go: sends oras-go; fetches by digest from the registry, never by urls",
  },
  {
    name: "regclient",
    pattern: /^regclient\//,
    handles: "redirect",
    refusesDowngrade: true,
    evidence: "regclient, from source: refuses https to http; its copy skips a layer with urls",
  },
];

const UNKNOWN: Agent = { name: "unknown", pattern: /^/, handles: "redirect", evidence: "every client follows a 307" };

/** Those of late; what is longer than any of them is looked at each time. */
const known = createLru<string, Agent>(1000);
const MAX_REMEMBERED = 256;

export function agentOf(userAgent = ""): Agent {
  const remembered = known.get(userAgent);
  if (remembered !== undefined) return remembered;
  const agent = AGENTS.find(({ pattern }) => pattern.test(userAgent)) ?? UNKNOWN;
  if (userAgent.length <= MAX_REMEMBERED) known.set(userAgent, agent);
  return agent;
}
