import { bold, dim, heading, yellow } from "../../scripts/lib/steps.mjs";
import type { Country, Network } from "../lib/network.ts";
import { addressIn } from "../lib/peers/edge.ts";
import type { Traffic } from "../lib/traffic.ts";
import type { DemoImage } from "./images.ts";
import type { Pull } from "./pulls.ts";

const countryNames: Readonly<Record<Country, string>> = { JP: "Japan", DE: "Germany", US: "the United States" };

/** A country, for people. */
export function countryName(country: Country): string {
  return countryNames[country];
}

/** Prints rows under a head, in columns as wide as they need to be; columns named in `right` are flush right. */
function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly string[]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.includes(head[column] ?? "") ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  process.stdout.write(`  ${bold(line(head))}\n`);
  for (const row of rows) process.stdout.write(`  ${line(row)}\n`);
}

/** Which bytes came from where, from the servers' own access logs. */
export function printPulls(pulls: readonly Pull[]): void {
  heading("Who served which layer, as the mirrors' own access logs say");
  const rows = pulls.flatMap(({ client, country, image, layers }) =>
    layers.map(({ digest, bytes, from }, index) => [
      ...(index === 0 ? [client, countryName(country), image] : ["", "", ""]),
      digest.slice("sha256:".length, "sha256:".length + 12),
      count(bytes),
      from,
    ]),
  );
  table(["CLIENT", "IN", "IMAGE", "LAYER", "BYTES", "SERVED BY"], rows, ["BYTES"]);
  const traffic = pulls.flatMap((pull) => pull.traffic);
  process.stdout.write("\n");
  process.stdout.write(
    `  The mirror list itself sent ${sent(traffic, "mirror list")}: manifests, configs, redirects.\n`,
  );
  process.stdout.write(`  The stable registry sent ${sent(traffic, "registry")}.\n`);
}

function sent(traffic: readonly Traffic[], from: string): string {
  const own = traffic.filter((request) => request.from === from);
  if (own.length === 0) return "nothing, and was not asked";
  return `${count(own.reduce((sum, { bytes }) => sum + bytes, 0))} bytes in ${own.length} answers`;
}

function count(bytes: number): string {
  return bytes.toLocaleString("en").replaceAll(",", " ");
}

/** What the demo could not show here, and why. */
export function printMissing(missing: readonly string[]): void {
  if (missing.length === 0) return;
  heading("Not shown on this machine");
  for (const line of missing) process.stdout.write(`  ${yellow("!")} ${line}\n`);
}

/** What can be tried while everything is left running. */
export function printCommands(network: Network, image: DemoImage, dir: string): void {
  const [repository, reference] = [image.repository, `${image.repository}:${image.tag}`];
  const [layer] = image.image.manifests[0]?.layers ?? [];
  const lines: string[] = [];
  for (const [country, edge] of network.edges) {
    lines.push(
      dim(`# as a client in ${countryName(country)}`),
      `skopeo copy --src-tls-verify=false docker://${edge.host}/${reference} dir:/tmp/image-${country}`,
      `podman pull --tls-verify=false ${edge.host}/${reference}`,
      `curl -sI -X GET http://${edge.host}/v2/${repository}/blobs/${layer?.digest}`,
      `pnpm mirrorlist explain ${reference} --ip ${addressIn[country]} --config ${network.config}`,
    );
  }
  lines.push(
    dim("# what the mirrors see"),
    ...[...network.mirrors.keys()].map((name) => `tail -f ${dir}/${name}/access.log`),
  );
  lines.push(dim("# the parts"), `cat ${network.config}`, `find ${network.root}/pub -type f | head`);
  lines.push(`curl -s ${network.registry.url}/v2/_catalog   ${dim("# the stable registry")}`);
  lines.push(`rsync -r ${network.master.url}containers/     ${dim("# the master")}`);
  heading("Everything is left running. To try:");
  process.stdout.write(
    `${lines.map((line) => `  ${line}\n`).join("")}\n  The mirror list: ${network.mirrorlistUrl}/\n`,
  );
  process.stdout.write(`  ${bold("Ctrl-C ends and removes all of it.")}\n`);
}
