import { expect, test } from "vitest";
import { parseConfig } from "./load.ts";

const CONTRACT = `
catalog: ./data/catalog.db
root: ./data/root
source:
  url: http://127.0.0.1:5001
  repositories: ["**"]
  concurrency: 16
publish:
  targets: ["rsync://master.example.org/containers/"]
mirrorlist:
  listen: 127.0.0.1:5000
  delivery: auto
  trustedProxies: ["127.0.0.0/8"]
  origin: serve
  geoip: {}
mirrors:
  - name: example-jp
    url: http://127.0.0.1:8081/
    country: JP
    bandwidth: 1000
    platforms: [linux-amd64, linux-arm64]
    netblocks: []
    allowPrivateAddress: true
crawler:
  interval: 60s
`;

test("reads every key of the contract", () => {
  const config = parseConfig(CONTRACT, "nearlayer.yaml");
  expect(config.source).toMatchObject({ url: "http://127.0.0.1:5001", concurrency: 16, exclude: [] });
  expect(config.publish.targets).toEqual([{ kind: "daemon", destination: "rsync://master.example.org/containers/" }]);
  expect(config.mirrorlist.listen).toEqual({ host: "127.0.0.1", port: 5000 });
  expect(config.mirrors[0]).toMatchObject({ name: "example-jp", country: "JP", private: false });
  expect(config.crawler.interval).toBe(60_000);
});

test("an empty file is all defaults", () => {
  expect(parseConfig("", "nearlayer.yaml")).toMatchObject({
    catalog: "./data/catalog.db",
    mirrorlist: { delivery: "auto", origin: "serve", listen: { port: 5000 } },
    mirrors: [],
  });
});

test.each([
  ["source:\n  urll: http://x\n", "nearlayer.yaml:2: source.urll: unknown key"],
  ["catalogue: x\n", "nearlayer.yaml:1: catalogue: unknown key"],
  ["source:\n  url: ftp://x\n", "nearlayer.yaml:2: source.url: not an http or https URL"],
  ["source:\n  url: http://me:secret@x\n", "nearlayer.yaml:2: source.url: a URL without user"],
  ["\nmirrorlist:\n  listen: 5000000\n", "nearlayer.yaml:3: mirrorlist.listen:"],
  ["mirrorlist: {listen: 'x:70000'}", "nearlayer.yaml:1: mirrorlist.listen: not HOST:PORT: x:70000"],
  ["mirrorlist: {listenTls: '0.0.0.0:443'}", "mirrorlist.listenTls: TLS without a certificate"],
  ["mirrorlist: {tls: {certificate: a, key: b}}", "mirrorlist.tls: a certificate that is not used"],
  ["mirrorlist: {listen: none}", "mirrorlist.listen: none, and no listenTls"],
  ["mirrorlist: {logClientAddress: some}", "mirrorlist.logClientAddress:"],
  ["mirrorlist: {limits: {connections: 0}}", "mirrorlist.limits.connections:"],
  ["crawler: {verifiers: [nonsense]}", "crawler.verifiers[0]: not a verifying key"],
  ["crawler: {interval: 10ms}", "crawler.interval: at least 100ms"],
  ["crawler: {hashBytesPerDay: -1}", "crawler.hashBytesPerDay:"],
  ["crawler: {audits: 3}", "crawler.audits:"],
  [
    "mirrors:\n  - {name: a, url: 'http://a/', country: JP, rsync: 'rsync://a/x; y/'}\n",
    "mirrors[0].rsync: not a module of an rsync daemon",
  ],
  ["crawler: {interval: often}", "crawler.interval: not a duration: often"],
  ["publish:\n  targets: ['/tmp/x; touch PWNED']\n", "publish.targets[0]: not a destination for rsync"],
  [
    "mirrors:\n  - {name: a, url: 'http://a/', country: Japan}\n",
    "nearlayer.yaml:2: mirrors[0].country: not a country",
  ],
  [
    "mirrors:\n  - {name: a, url: 'http://a/', country: JP}\n  - {name: a, url: 'http://b/', country: JP}\n",
    "nearlayer.yaml:3: mirrors[1].name: a second mirror",
  ],
  [
    "mirrors:\n  - {name: a, url: 'http://a/', country: JP, latitude: 35}\n",
    "nearlayer.yaml:2: mirrors[0].latitude: latitude and longitude go together",
  ],
  [
    "mirrors:\n  - {name: a, url: 'http://a/', country: JP, countries: [Japan]}\n",
    "mirrors[0].countries[0]: not a country",
  ],
  ["mirrors:\n  - {name: a, url: 'http://a/', country: JP, families: [ipv5]}\n", "mirrors[0].families[0]:"],
  ["mirrorlist: {scheme: https}", "mirrorlist.scheme:"],
  ["a: [\n", "nearlayer.yaml:2:1: not YAML"],
  ["- 1\n", "nearlayer.yaml"],
])("%j is refused with file, line, key and reason", (text, message) => {
  expect(() => parseConfig(text, "nearlayer.yaml")).toThrow(message);
});

test("says everything that is wrong at once", () => {
  expect(() => parseConfig("a: 1\nb: 2\n", "f")).toThrow("f:1: a: unknown key\nf:2: b: unknown key");
});
