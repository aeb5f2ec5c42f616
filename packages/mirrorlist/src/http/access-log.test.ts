import { configSchema } from "@nearlayer/shared/config/schema";
import { createLogger } from "@nearlayer/shared/log";
import { expect, onTestFinished, test } from "vitest";
import { staticGeo } from "../geo/static.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { listen, send } from "../testing/http.ts";
import { createAdmit } from "./access-log.ts";

const GEO = staticGeo({ "203.0.113.0/24": { country: "JP" } });

/** The one line of a request that the mirror list answers with a redirect. */
async function lineOf(mirrorlist: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const config = configSchema.parse({ mirrorlist });
  const admit = createAdmit({
    config,
    geo: GEO,
    log: createLogger("test", "info", { write: resolve }),
    metrics: createMetrics(),
  });
  const server = await listen((request, response) => {
    Object.assign(admit(request, response).entry, {
      kind: "blob",
      digest: "sha256:x",
      repository: "a",
      mirror: "jp",
      rank: "country",
      originBytes: () => 3,
    });
    response.end("x");
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  await send(server.port, "/", { "x-forwarded-for": "203.0.113.7", "user-agent": `"\\${"a".repeat(200)}` });
  return JSON.parse(await promise);
}

test.each([
  ["prefix", "203.0.113.0/24"],
  ["full", "203.0.113.7"],
  ["none", undefined],
])("one line says who, what, where and how long; the address: %s", async (logClientAddress, client) => {
  const line = await lineOf({ logClientAddress });
  expect(line).toMatchObject({
    ...{
      level: 30,
      time: expect.any(Number),
      name: "test",
      msg: "request",
      kind: "blob",
      repository: "a",
      digest: "sha256:x",
      mirror: "jp",
      rank: "country",
    },
    ...{
      country: "JP",
      method: "GET",
      status: 200,
      originBytes: 3,
      agent: `"\\${"a".repeat(78)}`,
      ms: expect.any(Number),
    },
  });
  expect(line.client).toBe(client);
  if (client !== "203.0.113.7") expect(JSON.stringify(line)).not.toContain("203.0.113.7");
});

test("by default the address is not written", async () => {
  expect(JSON.stringify(await lineOf({}))).not.toContain("203.0.113.7");
});
