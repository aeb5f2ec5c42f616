import { afterAll, beforeAll, expect, test } from "vitest";
import { type DeployedSite, deploySite } from "../lib/hosts/site.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

// The smallest site: one host with everything, the catalog on SQLite, syncs by a timer, one mirror list that speaks TLS itself.
// Beside the playbooks, the procedures of docs/operations.md are followed here, by their own commands.

const VARS = {
  nearlayer_registry_tls_port: 5443,
  nearlayer_sync_every: "1h",
  nearlayer_mirrorlist_name: "solo",
};

let site: DeployedSite;

beforeAll(async () => {
  if ((await whyNot("hosts")) !== undefined) return;
  const groups = { registry: ["solo"], syncer: ["solo"], master: ["solo"], mirrorlist: ["solo"] };
  site = await deploySite({ groups, vars: VARS, registry: "solo:5443", front: "solo:443" });
}, 1_800_000);

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
}, 120_000);

const shell = (...lines: string[]) => site.shell("solo", ...lines);
const generation = async () => shell("cat /srv/nearlayer/pub/zz-state/linux-amd64/GENERATION");
const numberOf = (text: string) => /^number: (\d+)$/m.exec(text)?.[1];
const signatureOf = (text: string) => text.trimEnd().split("\n").at(-1);
const sync = () => shell("systemctl start nearlayer-sync.service");

test("one host holds a whole site, and a second run changes nothing", async (context) => {
  await skipUnless(context, "hosts", "skopeo", "busybox");
  expect(site.first.exitCode, site.first.stdout.slice(-3000)).toBe(0);
  await site.push("40");
  await sync();
  await site.pulled("40");
  const second = await site.playbook("site.yml");
  expect([second.exitCode, second.changes]).toEqual([0, []]);
  expect(await shell("systemctl --failed --no-legend")).toBe("");
  // Both programs write the catalog, and nobody else reads it.
  expect(await shell("stat -c '%G %a' /var/lib/nearlayer/catalog/catalog.db*")).toMatch(/^(?:nearlayer 660\n?)+$/);
  const listed = await site.hosts.run(["rsync", "rsync://solo/"]);
  expect(listed.stdout).toMatch(/^containers\s/m);
});

test("a catalog that is restored from its backup finds again what came after", async (context) => {
  await skipUnless(context, "hosts", "skopeo", "busybox");
  await shell('sqlite3 /var/lib/nearlayer/catalog/catalog.db ".backup /var/backups/catalog.db"');
  await site.push("41");
  await sync();
  await site.pulled("41");
  const before = numberOf(await generation());
  await shell(
    "set -e",
    "systemctl stop nearlayer-sync.timer nearlayer-gc.timer 'nearlayer-mirrorlist@*'",
    "cd /var/lib/nearlayer/catalog && rm -f catalog.db-wal catalog.db-shm",
    "install -o root -g nearlayer -m 0660 /var/backups/catalog.db /var/lib/nearlayer/catalog/catalog.db",
    "cd / && runuser -u nearlayer-syncer -- syncer sync",
    "runuser -u nearlayer-syncer -- syncer verify",
    "systemctl start nearlayer-mirrorlist@5000 nearlayer-sync.timer nearlayer-gc.timer",
  );
  await site.pulled("40");
  await site.pulled("41");
  expect(numberOf(await generation())).toBe(before);
});

test("the signing key is changed by the book", async (context) => {
  await skipUnless(context, "hosts", "skopeo", "busybox");
  const before = await generation();
  await shell(
    "set -e",
    "cd /tmp && printf 'publish: {key: /var/lib/nearlayer/nearlayer-syncer/generation.key.new}\\n' > new-key.yaml",
    "runuser -u nearlayer-syncer -- syncer --config new-key.yaml key generate | tail -1 >> /etc/nearlayer/generation.pub",
  );
  const told = await site.playbook("site.yml", "--tags", "config");
  expect(told.changes).toEqual([
    "solo: mirrorlist : Configure each instance",
    "solo: mirrorlist : Restart the instance on 5000",
  ]);
  const verifiers = (await shell("cat /etc/nearlayer/generation.pub")).trim().split("\n");
  expect(verifiers).toHaveLength(2);
  expect(await shell("cat /etc/nearlayer/mirrorlist.yaml")).toContain(verifiers[1]);

  await shell(
    "set -e",
    "cd /var/lib/nearlayer/nearlayer-syncer && mv generation.key generation.key.old && mv generation.key.new generation.key",
    "cd / && runuser -u nearlayer-syncer -- syncer sync",
  );
  const after = await generation();
  expect(numberOf(after)).toBe(numberOf(before));
  expect(signatureOf(after)).not.toBe(signatureOf(before));

  await shell("sed -i 1d /etc/nearlayer/generation.pub");
  const done = await site.playbook("site.yml", "--tags", "config");
  expect(done.exitCode).toBe(0);
  const config = await shell("cat /etc/nearlayer/mirrorlist.yaml");
  expect([config.includes(String(verifiers[0])), config.includes(String(verifiers[1]))]).toEqual([false, true]);
  await site.push("42");
  await sync();
  await site.pulled("42");
});
