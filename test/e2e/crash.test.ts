import { expect, test } from "vitest";
import { crash } from "../lib/crash.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { skipUnless } from "../lib/requirements.ts";

/** A few; `npm run test:soak` does it many more times. */
const KILLS = 12;

test(`kill -9, ${KILLS} times, loses nothing, shows nothing by halves, and fetches nothing twice`, async (context) => {
  await skipUnless(context, "registry", "rsync");
  await using folder = await temporaryFolder("crash");
  await using registry = await startRegistry({ dir: await folder.at("registry") });
  const kills = await crash(await folder.at("site"), registry, KILLS);
  for (const times of Object.values(kills)) expect(times).toBeGreaterThan(0);
}, 300_000);
