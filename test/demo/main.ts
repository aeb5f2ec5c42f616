// The main job on real servers and clients: npm run demo [-- --keep]
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bold, green, heading, red, step } from "../../scripts/lib/steps.mjs";
import { baseLayer } from "../lib/images/samples.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { type DemoImage, pushDemoImages } from "./images.ts";
import { countryName, printCommands, printMissing, printPulls } from "./print.ts";
import { availableClients, faults, type Pull, pullFromEach } from "./pulls.ts";

const mirrors = [
  { name: "example-jp", country: "JP" },
  { name: "example-de", country: "DE" },
] as const;

/** Stops with the reasons when the machine lacks something without which there is nothing to show. */
async function checkMachine(): Promise<void> {
  const reasons: string[] = [];
  for (const name of ["registry", "rsync", "nginx", "busybox"] as const) {
    const reason = await whyNot(name);
    if (reason !== undefined) reasons.push(`${name}: ${reason}`);
  }
  if (reasons.length > 0) throw new Error(`The demo needs what is not here:\n${reasons.join("\n")}`);
}

/** From images in a stable registry to mirrors that carry their layers. */
async function fillMirrors(network: Network): Promise<DemoImage[]> {
  const images = await step("Pushing images for two platforms to the stable registry", () =>
    pushDemoImages(network.registry.url),
  );
  await step("syncer sync: registry → store and mirror tree", async () => void expectOk(await network.sync()));
  await step("syncer publish: tree → master, by rsync", async () => void expectOk(await network.publish()));
  await step("The mirrors in Japan and Germany pull from the master", () => network.pullMirrors());
  return images;
}

async function pullEverywhere(network: Network, image: DemoImage, dir: string): Promise<Pull[]> {
  const { names, missing } = await availableClients();
  if (names.length === 0) throw new Error(`No client can run here:\n${missing.join("\n")}`);
  const pulls: Pull[] = [];
  for (const name of names) {
    const title = `${name} pulls ${image.repository}:${image.tag} from Japan, then from Germany`;
    pulls.push(...(await step(title, () => pullFromEach(network, name, image, join(dir, name)))));
  }
  printPulls(pulls);
  for (const { client, country, ran } of pulls) {
    if (ran?.exitCode === 0)
      process.stdout.write(`  What ${client} pulled in ${countryName(country)} says: ${green(ran.stdout)}\n`);
    else if (ran !== undefined) missing.push(`running what ${client} pulled: ${ran.stderr.trim()}`);
  }
  printMissing(missing);
  return pulls;
}

async function show(dir: string, stack: AsyncDisposableStack, keep: boolean): Promise<void> {
  heading("Nearlayer: one registry, its layers from the mirror nearest to each client");
  await step("Looking at what this machine has", checkMachine);
  await step("Building a base image from Debian's busybox-static", () =>
    Promise.all([baseLayer("amd64"), baseLayer("arm64")]),
  );
  const network = stack.use(
    await step("Starting docker-registry, the master's rsync daemon, and two mirrors with nginx", () =>
      startNetwork({ dir, mirrors }),
    ),
  );
  const images = await fillMirrors(network);
  const [image] = images;
  if (image === undefined) throw new Error("there is no image to pull");
  await step("mirrorlist serve: checks the mirrors and answers", async () => {
    await network.serve();
    await network.untilFresh();
  });
  const pulls = await pullEverywhere(network, image, dir);
  const wrong = pulls.flatMap((pull) => {
    const nearest = mirrors.find(({ country }) => country === pull.country)?.name ?? "";
    return faults(pull, images, nearest);
  });
  if (wrong.length > 0)
    throw new Error(`${wrong.length} layers came from the wrong place:\n${wrong.slice(0, 8).join("\n")}`);
  process.stdout.write(`\n${green("✔")} ${bold("Every layer came from the mirror nearest to its client.")}\n`);
  if (keep) {
    printCommands(network, image, dir);
    await new Promise(() => {});
  }
}

/** Settles when the user wants it to end. */
function interruption(): Promise<"interrupted"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("interrupted"));
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
  const folder = await temporaryFolder("demo");
  const stack = new AsyncDisposableStack();
  // Waiting for Ctrl-C alone would not keep the process alive.
  const alive = setInterval(() => {}, 60_000);
  try {
    const ended = await Promise.race([show(folder.path, stack, values.keep), interruption()]);
    await step("Stopping everything and removing its files", async () => {
      await stack.disposeAsync();
      await folder[Symbol.asyncDispose]();
    });
    return ended === "interrupted" && !values.keep ? 130 : 0;
  } catch (error) {
    await stack.disposeAsync();
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`\n${red("✖")} ${message.replace(/\n/g, "\n  ")}\n\n  Logs and files are in ${folder.path}\n`);
    return 1;
  } finally {
    clearInterval(alive);
  }
}

process.exit(await main());
