import { configSchema } from "@nearlayer/shared/config/schema";
import { expect, test } from "vitest";
import { planReload } from "./reload.ts";

const TLS = { listenTls: "127.0.0.1:5443", tls: { certificate: "/a.crt", key: "/a.key" } };
const read = (mirrorlist: Record<string, unknown>, others: Record<string, unknown> = {}) =>
  configSchema.parse({ ...others, mirrorlist });

test("what can change takes the place of what was", () => {
  const next = read(
    { delivery: "urls", trustedProxies: [], publicUrl: "https://r.example.org", limits: { connections: 5 } },
    { mirrors: [{ name: "m", url: "http://m.example.org/", country: "JP" }], crawler: { interval: "5s" } },
  );
  expect(planReload(read({}), next)).toEqual({ config: next, kept: [] });
});

test("what cannot is named, and stays", () => {
  const running = read({}, { catalog: "/a.db", root: "/a" });
  const next = read(
    { listen: "127.0.0.1:1", metrics: { listen: "127.0.0.1:2" }, ...TLS },
    { catalog: "/b.db", root: "/b" },
  );
  expect(planReload(running, next)).toEqual({
    config: running,
    kept: ["catalog", "root", "mirrorlist.listen", "mirrorlist.listenTls", "mirrorlist.metrics.listen"],
  });
});

test("another certificate is no other listener, and a listener that stays keeps its certificate", () => {
  const running = read(TLS);
  const others = { certificate: "/b.crt", key: "/b.key" };
  expect(planReload(running, read({ ...TLS, tls: others }))).toMatchObject({
    config: { mirrorlist: { tls: others } },
    kept: [],
  });
  expect(planReload(running, read({}))).toMatchObject({
    config: { mirrorlist: { tls: TLS.tls, listenTls: { port: 5443 } } },
    kept: ["mirrorlist.listenTls"],
  });
});
