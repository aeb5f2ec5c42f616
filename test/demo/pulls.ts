import { type Client, type ClientName, clientNames, type RunningClient } from "../lib/clients/client.ts";
import { startClient } from "../lib/clients/start.ts";
import type { Country, Network } from "../lib/network.ts";
import { expectOk, type RunResult } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { observe, servedBy, type Traffic } from "../lib/traffic.ts";
import { type DemoImage, layersHere } from "./images.ts";

/** A layer that a client has pulled, and who sent it. */
export interface PulledLayer {
  readonly digest: string;
  readonly bytes: number;
  readonly from: string;
}

/** One pull, with the evidence of where its bytes came from. */
export interface Pull {
  readonly client: ClientName;
  readonly country: Country;
  readonly image: string;
  readonly layers: readonly PulledLayer[];
  readonly traffic: readonly Traffic[];
  /** How it went when the image was run, of a client that runs. */
  readonly ran?: RunResult;
}

/** Clients of the demo that this machine can have, and why it cannot have the others. */
export async function availableClients(): Promise<{ names: ClientName[]; missing: string[] }> {
  const names: ClientName[] = [];
  const missing: string[] = [];
  for (const name of clientNames) {
    const reason = await whyNot(name);
    if (reason === undefined) names.push(name);
    else missing.push(`${name}: ${reason}`);
  }
  return { names, missing };
}

/** Pulls an image into an empty client from each country, and runs it where the client can. */
export async function pullFromEach(network: Network, name: ClientName, image: DemoImage, dir: string): Promise<Pull[]> {
  await using client = await startClient(name, dir);
  const pulls: Pull[] = [];
  for (const [country, edge] of network.edges) {
    const reference = `${edge.host}/${image.repository}:${image.tag}`;
    const { traffic } = await observe(network, async () => expectOk(await client.pull(reference)));
    const layers = layersHere(image).map(({ digest }) => pulledLayer(traffic, digest));
    const pulled = { client: name, country, image: `${image.repository}:${image.tag}`, layers, traffic };
    pulls.push(canRun(client) ? { ...pulled, ran: await client.run(reference, ["/bin/hello"]) } : pulled);
    await client.forget();
  }
  return pulls;
}

function pulledLayer(traffic: readonly Traffic[], digest: string): PulledLayer {
  const served = servedBy(traffic, digest);
  const bytes = served.reduce((sum, one) => sum + one.bytes, 0);
  return { digest, bytes, from: served.map(({ from }) => from).join(" and ") || "nobody" };
}

function canRun(client: Client): client is RunningClient {
  return "run" in client;
}

/** What is wrong with a pull: every layer has to come, whole, from the mirror of the client's country. */
export function faults(
  { client, country, image, layers }: Pull,
  images: readonly DemoImage[],
  mirror: string,
): string[] {
  const whole = new Map(images.flatMap(layersHere).map(({ digest, size }) => [digest, size]));
  return layers
    .filter(({ digest, bytes, from }) => from !== mirror || bytes !== whole.get(digest))
    .map(
      ({ digest, bytes, from }) =>
        `${client} in ${country}: ${image}, layer ${digest}: ${bytes} of ${whole.get(digest)} bytes came from ${from}, expected all from ${mirror}`,
    );
}
