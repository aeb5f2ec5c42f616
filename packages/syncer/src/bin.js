#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// This one file is no TypeScript: what erases its types takes 35 ms to load, and is not needed for what Node has kept.
//
// Half of a short command's time is the compiling of its modules, which Node can keep. Not in its own default place, a
// folder in /tmp that anybody could have filled. Where it cannot be written, nothing is kept.
enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nearlayer", "node"));
const { main } = await import("./main.ts");
await main();
