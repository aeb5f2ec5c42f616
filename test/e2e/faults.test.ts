import { describe } from "vitest";
import { briefCases } from "../lib/faulty-mirror/cases.ts";
import { checkCases } from "../lib/faulty-mirror/check-cases.ts";

/** Some of the matrix of docs/client-faults.md; all of it is in test/soak. */
describe("a pull ends well while one good copy exists", () => checkCases(briefCases));
