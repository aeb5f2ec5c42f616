import { buildImage } from "../images/image.ts";
import { randomLayer } from "../images/layer.ts";
import { pushImage } from "../images/push.ts";
import { type Network, startNetwork } from "../network.ts";
import { expectOk } from "../process/run.ts";
import { until } from "../process/until.ts";
import type { FaultCase } from "./cases.ts";
import { type ClientEdge, type EdgeRequest, startClientEdge } from "./client-edge.ts";
import { type FaultyMirror, startFaultyMirror } from "./faulty-mirror.ts";

/** A case that is ready to be pulled: mirrors, an address and an image of its own, so that cases run side by side. */
export interface Plot {
  readonly case: FaultCase;
  /** The mirror that the client is sent to first, and the one that comes after it. */
  readonly near: FaultyMirror;
  readonly next: FaultyMirror;
  /** What the client pulls. */
  readonly reference: string;
  /** How the client has asked the mirror list for the image's one layer. */
  layerRequests(): readonly EdgeRequest[];
}

/** A mirror list with mirrors for many cases, which know nothing of each other. */
export interface Field extends AsyncDisposable {
  readonly plots: readonly Plot[];
}

/** Syncs an image for each case and serves them all; from then on the mirrors have the faults that the cases name. */
export async function startField(dir: string, cases: readonly FaultCase[]): Promise<Field> {
  await using starting = new AsyncDisposableStack();
  // The mirrors serve what the syncer publishes: how it gets to them is tested elsewhere.
  const root = `${dir}/master/containers`;
  const pairs: Pair[] = [];
  for (const each of cases) {
    const near = starting.use(await startFaultyMirror(root));
    const next = starting.use(await startFaultyMirror(root));
    pairs.push({ case: each, near, next });
  }
  // No probe may come between the fault and the pull: what a probe sees is tested elsewhere too.
  const settings = { mirrors: pairs.flatMap(declare), crawler: { interval: "1h" } };
  const network = starting.use(await startNetwork({ dir, mirrors: [], settings }));
  const layers = await pushImages(network, cases);
  expectOk(await network.sync());
  expectOk(await network.publish());
  await network.serve();
  await untilFresh(network.mirrorlistUrl, 2 * pairs.length);
  const edge = starting.use(await startClientEdge(network.mirrorlistUrl, addressFor));
  const plots = cases.map((each, index): Plot => {
    const [pair, layer] = [pairs[index], layers[index]];
    if (pair === undefined || layer === undefined) throw new Error(`nothing was made ready for case ${index}`);
    const fault = { name: each.fault, phase: each.phase };
    pair.near.fail(fault);
    if (each.which === "all") pair.next.fail(fault);
    const repository = `faults/case-${index}`;
    return {
      case: each,
      ...{ near: pair.near, next: pair.next },
      reference: `${edge.host}/${repository}:1`,
      layerRequests: () => find(edge, repository, layer),
    };
  });
  const stack = starting.move();
  return { plots, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Pair {
  readonly case: FaultCase;
  readonly near: FaultyMirror;
  readonly next: FaultyMirror;
}

/** Each case comes from a network of its own. */
const netOf = (index: number) => `198.${18 + (index >> 8)}.${index & 255}`;
const addressOf = (index: number) => `${netOf(index)}.1`;

function addressFor(uri: string): string | undefined {
  const [, index] = /^\/v2\/faults\/case-(\d+)\//.exec(uri) ?? [];
  return index === undefined ? undefined : addressOf(Number(index));
}

/**
 * The mirror with the longer netblock is the nearer one, and no other case may be sent to either. They are private to its
 * address; but private mirrors are never written into a manifest, so that for podman they have a platform of their own.
 */
function declare({ near, next, case: { client } }: Pair, index: number) {
  const apart =
    client === "podman"
      ? { platforms: [`linux-amd64-${variantOf(index)}`] }
      : { platforms: ["linux-amd64"], private: true };
  const common = { country: "JP", bandwidth: 1000, allowPrivateAddress: true, ...apart };
  return [
    { ...common, name: `near-${index}`, url: near.url, netblocks: [`${addressOf(index)}/32`] },
    { ...common, name: `next-${index}`, url: next.url, netblocks: [`${netOf(index)}.0/24`] },
  ];
}

const variantOf = (index: number) => `v${index + 100}`;

/** Pushes `faults/case-<n>:1`, each of one layer, and returns the layers. */
async function pushImages({ registry }: Network, cases: readonly FaultCase[]): Promise<string[]> {
  const layers: string[] = [];
  for (const [index, { client }] of cases.entries()) {
    const layer = await randomLayer(`faults ${index}`, 256 << 10);
    const variant = client === "podman" ? { variant: variantOf(index) } : {};
    const platform = { os: "linux", architecture: "amd64", ...variant };
    await pushImage(
      registry.url,
      `faults/case-${index}`,
      "1",
      buildImage("docker-manifest", [{ platform, layers: [layer] }]),
    );
    layers.push(layer.digest);
  }
  return layers;
}

async function untilFresh(url: string, count: number): Promise<void> {
  const check = async () => {
    const { mirrors } = (await (await fetch(`${url}/mirrors.json`)).json()) as {
      mirrors: { platforms: { state: string }[] }[];
    };
    const states = mirrors.flatMap(({ platforms }) => platforms.map(({ state }) => state));
    return mirrors.length === count && states.length >= count && states.every((state) => state === "fresh");
  };
  await until(check, { what: "every mirror to be fresh", within: 30_000, every: 100 });
}

function find(edge: ClientEdge, repository: string, layer: string): EdgeRequest[] {
  const path = `/v2/${repository}/blobs/${layer}`;
  return edge.requests.filter(({ method, uri }) => method === "GET" && uri.startsWith(path));
}
