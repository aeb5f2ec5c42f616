import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe } from "vitest";
import { allCases } from "../lib/faulty-mirror/cases.ts";
import { checkCases } from "../lib/faulty-mirror/check-cases.ts";
import { faultsPage } from "../lib/faulty-mirror/table.ts";

const page = join(import.meta.dirname, "../../docs/client-faults.md");

/** Every fault with every client; with NEARLAYER_WRITE_DOCS=1, what was measured becomes docs/client-faults.md. */
describe("every fault of a mirror, with every client", () => {
  checkCases(allCases, async (outcomes) => {
    if (process.env.NEARLAYER_WRITE_DOCS === "1" && outcomes.size === allCases.length) {
      await writeFile(page, await faultsPage(outcomes));
    }
  });
});
