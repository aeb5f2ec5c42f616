#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// As in the syncer's bin.js: no TypeScript, so that what Node has kept of the others is all that it needs.
enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nearlayer", "node"));
await import("./main.ts");
