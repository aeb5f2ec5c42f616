import type { Client, ClientName } from "./client.ts";
import { startContainerdClient } from "./containerd.ts";
import { startDockerClient } from "./docker.ts";
import { podmanClient } from "./podman.ts";
import { skopeoClient } from "./skopeo.ts";

const starters: Readonly<Record<ClientName, (dir: string) => Promise<Client>>> = {
  docker: startDockerClient,
  containerd: startContainerdClient,
  podman: podmanClient,
  skopeo: skopeoClient,
};

/** A client by its name, all of its state in a folder. */
export function startClient(name: ClientName, dir: string): Promise<Client> {
  return starters[name](dir);
}
