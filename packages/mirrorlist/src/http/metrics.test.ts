import { expect, onTestFinished, test } from "vitest";
import { createMetrics } from "../metrics/metrics.ts";
import { AMD64 } from "../testing/mirrors.ts";
import { createWorld, JAPAN } from "../testing/world.ts";

async function setUp(mirrorlist: Record<string, unknown> = {}) {
  const world = await createWorld({ jp: { country: "JP", netblocks: ["203.0.113.0/24"] } }, mirrorlist);
  onTestFinished(() => world[Symbol.asyncDispose]());
  const { layers } = await world.tree.push({ repository: "fedora/app", tag: "40", layers: ["one"] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
  const layer = `/v2/fedora/app/blobs/${layers[0]}`;
  const samples = async () => (await world.get("/metrics")).body.toString().split("\n");
  return { world, layer, samples };
}

test("what is answered is counted by what it was and where it led, with no word of the client's", async () => {
  const { world, layer, samples } = await setUp();
  await world.get("/v2/fedora/app/manifests/40");
  await world.get("/v2/secret-name/manifests/40");
  await world.get(layer);
  await world.get(`${layer}?after=mirrors`);
  const shown = await samples();
  for (const sample of [
    'nearlayer_requests_total{kind="manifest",status="200"} 1',
    'nearlayer_requests_total{kind="manifest",status="404"} 1',
    'nearlayer_requests_total{kind="blob",status="307"} 1',
    'nearlayer_manifests_total{delivery="original"} 1',
    'nearlayer_redirects_total{mirror="jp",rank="netblock"} 1',
    'nearlayer_origin_answers_total{reason="tried"} 1',
    "nearlayer_origin_bytes_total 3",
    'nearlayer_request_duration_seconds_count{kind="blob"} 2',
  ]) {
    expect(shown).toContain(sample);
  }
  expect(shown.join("\n")).not.toMatch(/secret-name|203\.0\.113|fedora/);
});

test("a layer that is asked for again is a failover", async () => {
  const { world, layer, samples } = await setUp();
  for (const _ of [1, 2]) await world.get(layer, { "x-forwarded-for": JAPAN });
  expect(await samples()).toContain("nearlayer_failovers_total 1");
});

test("they are not here when they have an address of their own", async () => {
  const { world } = await setUp({ metrics: { listen: "127.0.0.1:9100" } });
  expect((await world.get("/metrics")).status).toBe(404);
  expect((await world.get("/healthz")).status).toBe(200);
});

test("a mirror that is gone is forgotten", async () => {
  const metrics = createMetrics();
  for (const name of ["stays", "goes"]) {
    metrics.probed(name, "ok");
    metrics.looked(name, "bad");
  }
  metrics.keepMirrors(new Set(["stays"]));
  await new Promise((resolve) => setImmediate(resolve));
  const text = await metrics.registry.metrics();
  expect(text).toContain('nearlayer_probes_total{mirror="stays",result="ok"} 1');
  expect(text).not.toContain("goes");
});
