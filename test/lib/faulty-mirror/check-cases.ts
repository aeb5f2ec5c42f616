import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, type ClientName, clientNames } from "../clients/client.ts";
import { startClient } from "../clients/start.ts";
import { type TemporaryFolder, temporaryFolder } from "../process/folder.ts";
import { skipUnless, whyNot } from "../requirements.ts";
import { type FaultCase, titleOf } from "./cases.ts";
import { expectedOf, isSeen, pullsFor } from "./expectations.ts";
import { type Plot, startField } from "./field.ts";
import { type Outcome, pullCase } from "./pull-case.ts";

/** How many pulls of a client run side by side: Docker waits for seconds before it asks again. */
const AT_ONCE: Readonly<Record<ClientName, number>> = { docker: 4, containerd: 1, podman: 1, skopeo: 1 };

/** Registers a test for each case. `onMeasured` is told what came of all of them. */
export function checkCases(
  cases: readonly FaultCase[],
  onMeasured: (outcomes: ReadonlyMap<FaultCase, Outcome>) => Promise<void> = async () => undefined,
): void {
  const cleanup = new AsyncDisposableStack();
  const pulls = new Map<FaultCase, Promise<Outcome>>();

  beforeAll(async () => {
    for (const name of ["registry", "rsync", "nginx"] as const) if (await whyNot(name)) return;
    const usable: ClientName[] = [];
    for (const name of clientNames) if ((await whyNot(name)) === undefined) usable.push(name);
    const folder = cleanup.use(await temporaryFolder("faults"));
    const field = cleanup.use(
      await startField(
        folder.path,
        cases.filter(({ client }) => usable.includes(client)),
      ),
    );
    for (const name of usable) {
      const client = cleanup.use(await startClientIn(folder, name));
      const plots = field.plots.filter((plot) => plot.case.client === name);
      pullAll(client, plots, AT_ONCE[name], pulls);
    }
  });

  afterAll(async () => {
    const settled = await Promise.all([...pulls].map(async ([each, outcome]) => [each, await outcome] as const));
    await cleanup.disposeAsync();
    await onMeasured(new Map(settled));
  });

  for (const [client, own] of Map.groupBy(cases, (each) => each.client)) {
    describe(client, () => {
      for (const each of own) {
        test(titleOf(each), async (context) => {
          await skipUnless(context, "registry", "rsync", "nginx", client);
          const outcome = await pulls.get(each);
          expect(outcome).toMatchObject(expectedOf(each));
          if (isSeen(each)) expect(outcome?.asked).toMatchObject({ near: 0, next: each.which === "all" ? 0 : 1 });
        });
      }
    });
  }
}

async function startClientIn(folder: TemporaryFolder, name: ClientName): Promise<Client> {
  return startClient(name, await folder.at(`client-${name}`));
}

/** Starts the pulls of a client, a few at a time, in the order of the cases. */
function pullAll(
  client: Client,
  plots: readonly Plot[],
  atOnce: number,
  pulls: Map<FaultCase, Promise<Outcome>>,
): void {
  const lanes: Promise<unknown>[] = Array.from({ length: atOnce }, () => Promise.resolve());
  for (const [index, plot] of plots.entries()) {
    const lane = index % atOnce;
    const outcome = (lanes[lane] ?? Promise.resolve()).then(() => pullCase(client, plot, pullsFor(plot.case)));
    // A test that awaits it sees its error.
    lanes[lane] = outcome.catch(() => undefined);
    pulls.set(plot.case, outcome);
  }
}
