import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { secretFile } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { startListener } from "../lib/listener.ts";
import { startPostgres } from "../lib/peers/postgres.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless } from "../lib/requirements.ts";

const TAGS = 12;

test("a listener on PostgreSQL takes an event only once it is written down, and outlives the server's crash", async (context) => {
  await skipUnless(context, "registry", "postgres");
  await using folder = await temporaryFolder("events-pg");
  await using registry = await startRegistry({ dir: await folder.at("registry") });
  await using postgres = await startPostgres({ dir: await folder.at("postgres"), fsync: true });
  const database = await postgres.createDatabase();
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const secret = "a secret of the registry's";
  const config = join(folder.path, "nearlayer.yaml");
  const events = {
    listen: address,
    registry: { secretFile: await secretFile(folder.path, secret) },
    rules: [{ use: "registry-push" }],
    audit: "never",
    retry: { first: "100ms", longest: "1s", attempts: 100 },
  };
  const source = { url: registry.url, repositories: ["fedora/**"] };
  await writeFile(config, stringify({ catalog: database, root: join(folder.path, "root"), source, events }));

  const name = new URL(database).pathname.slice(1);
  const rows = async (sql: string) => (await postgres.query(sql, name)).split("\n").filter(Boolean);
  const send = async (tag: string) => {
    const body = JSON.stringify({
      events: [{ id: `event ${tag}`, action: "push", target: { repository: "fedora/app", tag } }],
    });
    const headers = { Authorization: `Bearer ${secret}` };
    return (await fetch(`${url}/hooks/registry`, { method: "POST", body, headers })).status;
  };
  const tags: string[] = [];
  for await (const image of randomImages({ seed: "pg", count: TAGS, layers: 1, layerSize: 1000 })) {
    await pushImage(registry.url, "fedora/app", String(tags.push(String(tags.length)) - 1), image);
  }

  await using listener = await startListener(config, url, await folder.at("listener"));
  const half = tags.slice(0, TAGS / 2);
  for (const tag of half) expect(await send(tag)).toBe(202);
  await postgres.halt("immediate");
  for (const tag of tags.slice(TAGS / 2)) expect(await send(tag)).toBe(503);
  await postgres.resume();
  for (const tag of tags.slice(TAGS / 2)) {
    await until(async () => (await send(tag)) === 202, { what: `event ${tag} to be taken`, within: 30_000 });
  }

  const done = async () => (await rows("select id from event where state = 'done'")).length === TAGS;
  await until(done, { what: "all events to be done", within: 60_000 });
  expect((await rows("select name from tag")).sort()).toEqual([...tags].sort());
  expect((await listener.metrics()).nearlayer_events_parked).toBe(0);
});
