import { parseRepository } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import { AGENTS, agentOf } from "./agents.ts";
import { chooseDelivery, configuredDelivery } from "./choose.ts";

test.each([
  ["containers/5.23.1 (github.com/containers/image)", "urls"],
  ["libpod/4.3.1", "urls"],
  ["Buildah/1.28.0", "urls"],
  ["cri-o/1.25.1 go/go1.19 os/linux arch/amd64", "urls"],
  ["skopeo/1.9.3", "redirect"],
  ["docker/20.10.24 go/go1.19.8 git-commit/x kernel/6 os/linux arch/amd64", "redirect"],
  [
    "docker/29.2.1 go/go1.25.6 os/linux arch/amd64 containerd-client/2.2.1+unknown storage-driver/overlayfs",
    "redirect",
  ],
  ["buildkit/v0.13", "redirect"],
  ["kaniko/v1.23.0", "redirect"],
  ["crane/0.20.2 go-containerregistry/0.20.2", "redirect"],
  ["oras-go", "redirect"],
  ["oras/1.2.0", "redirect"],
  ["Helm/3.16.1", "redirect"],
  ["containerd/1.6.20", "redirect"],
  ["go-containerregistry/v0.20", "redirect"],
  ["regclient/regctl (v0.7)", "redirect"],
  ["curl/8 containers/5.23.1 (github.com/containers/image)", "redirect"],
  ["", "redirect"],
  [undefined, "redirect"],
])("auto gives %s %s", (userAgent, delivery) => {
  const request = { configured: "auto", userAgent, byDigest: false, isPinned: false } as const;
  expect(chooseDelivery(request)).toEqual({ delivery, why: "agent" });
});

const PODMAN = "containers/5.23.1 (github.com/containers/image)";
test.each([
  [{ configured: "urls", userAgent: "skopeo/1" }, "urls", "configured"],
  [{ configured: "redirect", userAgent: PODMAN }, "redirect", "configured"],
  [{ configured: "redirect", override: "urls" }, "urls", "asked"],
  [{ configured: "urls", override: "redirect" }, "redirect", "asked"],
  [{ configured: "urls", override: "auto" }, "redirect", "agent"],
  [{ configured: "urls", override: "nonsense" }, "urls", "configured"],
  [{ configured: "urls", override: "urls", isPinned: true }, "redirect", "pinned"],
  [{ configured: "urls", override: "urls", byDigest: true }, "redirect", "digest"],
] as const)("%j is %s because of %s", (request, delivery, why) => {
  expect(chooseDelivery({ byDigest: false, isPinned: false, ...request })).toEqual({ delivery, why });
});

test("the first list of globs that names a repository counts", () => {
  const config = {
    delivery: "auto",
    deliveries: [
      { repositories: ["fedora/signed", "x"], delivery: "redirect" },
      { repositories: ["fedora/**"], delivery: "urls" },
    ],
  } as const;
  const of = (name: string) => configuredDelivery(config, parseRepository(name));
  expect([of("fedora/signed"), of("fedora/a/b"), of("app")]).toEqual(["redirect", "urls", "auto"]);
});

test.each([
  ["docker/20.10.24 go/go1.19.8 os/linux UpstreamClient(Docker-Client/20.10.24)", "Docker, classic store"],
  [
    "docker/29.2.1 go/go1.25.6 os/linux containerd-client/2.2.1+unknown storage-driver/overlayfs",
    "Docker, containerd's store",
  ],
  ["containerd/1.6.20~ds1", "containerd, ctr, nerdctl, k3s"],
  ["something else", "unknown"],
])("%s is known as %s", (userAgent, name) => {
  expect(agentOf(userAgent).name).toBe(name);
});

test("every client is known for a reason, and by its beginning alone", () => {
  for (const { name, pattern, evidence } of AGENTS) {
    expect([name, evidence.length > 20, pattern.source.startsWith("^")]).toEqual([name, true, true]);
  }
});

test("only regclient is known to refuse http after https", () => {
  expect(agentOf("regclient/regctl").refusesDowngrade).toBe(true);
  expect(agentOf("docker/20.10.24").refusesDowngrade).toBeUndefined();
});
