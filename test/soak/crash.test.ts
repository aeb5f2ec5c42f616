import { expect, test } from "vitest";
import { crash } from "../lib/crash.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { skipUnless } from "../lib/requirements.ts";

const KILLS = 60;

test(`kill -9, ${KILLS} times across sync, publish and gc`, async (context) => {
  await skipUnless(context, "registry", "rsync");
  await using folder = await temporaryFolder("soak");
  await using registry = await startRegistry({ dir: await folder.at("registry") });
  const kills = await crash(await folder.at("site"), registry, KILLS);
  for (const times of Object.values(kills)) expect(times).toBeGreaterThan(9);
});
