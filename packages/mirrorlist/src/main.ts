import { runMain } from "@nearlayer/shared/cli";
import { keepMemorySmall } from "./server/collector.ts";

// To read the program itself makes more garbage than anything that it does later: this must be in force by then.
keepMemorySmall();
const { main } = await import("./program.ts");
await runMain(main);
