import type { Network } from "./network.ts";

/** One request, as the server that answered it wrote it down. */
export interface Traffic {
  /** A mirror's name, `mirror list` or `registry`. */
  readonly from: string;
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  readonly bytes: number;
  /** The User-Agent that asked. */
  readonly agent: string;
}

/** Who sent how much of something. */
export interface Served {
  readonly from: string;
  readonly bytes: number;
}

/** Does something, and tells what every server of the network was asked meanwhile. */
export async function observe<T>(
  network: Network,
  action: () => Promise<T>,
): Promise<{ result: T; traffic: Traffic[] }> {
  const edges = [...network.edges.values()].map((edge) => ["mirror list", edge.log] as const);
  const mirrors = [...network.mirrors].map(([name, mirror]) => [name, mirror.log] as const);
  const logs = [...edges, ...mirrors, ["registry", network.registry.log] as const];
  const marks = await Promise.all(logs.map(([, log]) => log.mark()));
  const result = await action();
  const entries = logs.map(async ([from, log], index) =>
    (await log.entries(marks[index])).map(({ method, uri, status, bytes, agent }) => ({
      ...{ from, method, uri, status, bytes, agent },
    })),
  );
  return { result, traffic: (await Promise.all(entries)).flat() };
}

/** Nearlayer's own probes say who they are; they are no client's traffic. */
const ownProbe = /^nearlayer\b/i;

/** Where the bytes of a blob came from that clients got: one entry for each server that sent some. */
export function servedBy(traffic: readonly Traffic[], digest: string): Served[] {
  const hex = digest.slice("sha256:".length);
  const sent = traffic.filter(
    ({ method, uri, status, agent }) =>
      method === "GET" &&
      [200, 206].includes(status) &&
      uri.includes("/blobs/") &&
      uri.includes(hex) &&
      !ownProbe.test(agent),
  );
  return [...Map.groupBy(sent, ({ from }) => from)].map(([from, requests]) => ({
    from,
    bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
}
