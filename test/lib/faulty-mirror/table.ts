import { clientNames } from "../clients/client.ts";
import { run } from "../process/run.ts";
import { allCases, type FaultCase, phases } from "./cases.ts";
import { isSeen, recoveries } from "./expectations.ts";
import { faultNames } from "./faults.ts";
import type { Outcome } from "./pull-case.ts";

const introduction = `# Clients and mirrors that fail

Written by \`test/soak/faults.test.ts\`, with real clients and mirrors; \`NEARLAYER_WRITE_DOCS=1\` writes it anew.

Each case is one image of one layer, and two mirrors in front of the origin: a near one that has the fault, and a next one that
is well (**nearest**), or has the fault as well (**all**). A mirror with a fault answers its probes well. *Before the look*: it
has the fault from the start, so that the mirror list can see it when it looks at the blob before the first redirect. *After the
look*: it has it for clients alone, the worst that can happen, and how the client itself deals with that is all there is.

- **Ends well**: which pull got the image, the first or one that was made after it had failed. *never*: tried once, for the
  client keeps something of it that the next pull may stumble over. podman is given \`urls\`, the others a 307.
- **Asked**: how often the client asked for the layer, in all pulls until then: the near mirror / the next / the mirror list.
  Who refuses connections is asked by nobody.
- **Served by**: who sent the layer or, when it was put together from parts, its end.
`;

/** The measured matrix as a page. The same outcomes give the same bytes. */
export async function faultsPage(outcomes: ReadonlyMap<FaultCase, Outcome>): Promise<string> {
  const sections: string[] = [];
  for (const client of clientNames) {
    const rows = phases.flatMap((phase) => {
      const measured = faultNames.map((fault) => ({ fault, cells: cellsFor(outcomes, { client, phase, fault }) }));
      // Faults that came to the same share a row.
      const groups = Map.groupBy(measured, ({ cells }) => cells);
      return [...groups].map(
        ([cells, same]) => `| ${phase} | ${same.map(({ fault }) => fault).join(", ")} | ${cells} |`,
      );
    });
    sections.push(
      `\n## ${client} ${await versionOf(client)}\n`,
      "| has the fault | fault | the client | nearest: ends well | asked | served by | all: ends well | asked | served by |",
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
      ...rows,
    );
  }
  return `${introduction}${sections.join("\n")}\n`;
}

/** What stands behind a fault's name in its row. */
function cellsFor(
  outcomes: ReadonlyMap<FaultCase, Outcome>,
  { client, phase, fault }: Omit<FaultCase, "which">,
): string {
  const cells = (["nearest", "all"] as const).flatMap((which) => {
    const found = allCases.find(
      (each) => each.client === client && each.phase === phase && each.fault === fault && each.which === which,
    );
    const outcome = found && outcomes.get(found);
    if (outcome === undefined) return ["not measured", "", ""];
    const { endedWell, asked, servedBy } = outcome;
    const ended = endedWell === "never" ? "**never**" : endedWell;
    return [ended, `${asked.near} / ${asked.next} / ${asked.list}`, servedBy];
  });
  return [isSeen({ fault, phase }) ? "never meets it" : recoveries[fault][client], ...cells].join(" | ");
}

async function versionOf(client: (typeof clientNames)[number]): Promise<string> {
  const { stdout } = await run(client === "docker" ? "dockerd" : client, ["--version"]);
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "";
}
