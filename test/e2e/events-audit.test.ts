import { join } from "node:path";
import { expect, test } from "vitest";
import { secretFile } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { readJournal, startListener } from "../lib/listener.ts";
import { startFaultyRegistry } from "../lib/peers/faulty-registry.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless } from "../lib/requirements.ts";
import { createSite } from "../lib/site.ts";

/** More than an audit reads at a time. */
const REPOSITORIES = 60;

test("an event is done while an audit of many repositories goes on, and the audit finds the rest", async (context) => {
  await skipUnless(context, "registry");
  await using folder = await temporaryFolder("audit");
  await using registry = await startRegistry({ dir: await folder.at("registry") });
  const [image] = await Array.fromAsync(randomImages({ seed: "audit", count: 1, layers: 1, layerSize: 1000 }));
  if (image === undefined) throw new Error("there is no image");
  const names = Array.from({ length: REPOSITORIES }, (_, index) => `fedora/a${String(index).padStart(2, "0")}`);
  for (const name of names) await pushImage(registry.url, name, "1", image);

  // The audit stands still in its first part until the event is in the journal.
  const goOn = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using source = await startFaultyRegistry({
    backend: registry.url,
    faults: async ({ path }) => {
      if (!path.startsWith(`/v2/${names[0]}/tags/list`)) return;
      begun.resolve();
      await goOn.promise;
    },
  });
  const site = await createSite(await folder.at("site"), { url: source.url, timeout: "30s" });
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const secret = "the registry's secret";
  const registryEvents = { secretFile: await secretFile(folder.path, secret) };
  const events = { listen: address, registry: registryEvents, rules: [{ use: "registry-push" }] };
  await site.configure({ repositories: ["fedora/**"] }, { events });
  const journal = () => readJournal(join(folder.path, "site", "catalog.db"));
  await using listener = await startListener(site.config, url, await folder.at("listener"));

  await begun.promise;
  await pushImage(registry.url, "fedora/new", "1", image);
  const body = JSON.stringify({
    events: [{ id: "new", action: "push", target: { repository: "fedora/new", tag: "1" } }],
  });
  const headers = { Authorization: `Bearer ${secret}` };
  expect((await fetch(`${url}/hooks/registry`, { method: "POST", body, headers })).status).toBe(202);
  expect(journal()).toMatchObject([{ key: "new", state: "waiting" }]);
  goOn.resolve();

  const audited = async () => (await listener.metrics())['nearlayer_audits_total{result="ok"}'] === 1;
  await until(audited, { what: "the audit", within: 60_000 });
  expect(journal()).toMatchObject([{ key: "new", state: "done" }]);
  expect(Object.keys(site.tags())).toEqual([...names, "fedora/new"].map((name) => `${name}:1`));
  const asked = source.requests.map(({ path }) => path.replace(/\?.*/, ""));
  const [last = ""] = names.slice(-1);
  expect(asked.indexOf("/v2/fedora/new/manifests/1")).toBeGreaterThan(asked.indexOf(`/v2/${names[0]}/manifests/1`));
  expect(asked.indexOf("/v2/fedora/new/manifests/1")).toBeLessThan(asked.indexOf(`/v2/${last}/manifests/1`));
});
