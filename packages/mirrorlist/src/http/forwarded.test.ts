import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { parseNetblock } from "../selection/netblock.ts";
import { readForwarded } from "./forwarded.ts";

const TRUSTED = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:ff::/48"].map(parseNetblock);
const read = (remoteAddress: string, headers: Record<string, string>, encrypted = false) =>
  readForwarded({ socket: { remoteAddress, encrypted }, headers } as unknown as IncomingMessage, TRUSTED);

test.each([
  ["192.0.2.1", "203.0.113.7", "192.0.2.1"], // nobody vouches for the header
  ["127.0.0.1", "203.0.113.7", "203.0.113.7"],
  ["::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"],
  ["127.0.0.1", "198.51.100.9, 203.0.113.7", "203.0.113.7"], // what is left of the client is forged
  ["127.0.0.1", "198.51.100.9, 203.0.113.7, 10.1.2.3, 2001:db8:ff::1", "203.0.113.7"],
  ["127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
  ["127.0.0.1", "", "127.0.0.1"],
  ["127.0.0.1", "unknown", "127.0.0.1"],
  ["127.0.0.1", "203.0.113.7, nonsense, 10.1.1.1", "10.1.1.1"],
  ["127.0.0.1", "203.0.113.7:4711", "203.0.113.7"],
  ["127.0.0.1", "[2001:db8::7]:443", "2001:db8::7"],
  ["127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"],
  ["127.0.0.1", "0x7f.1", "127.0.0.1"],
  ["127.0.0.1", `${"1.2.3.4,".repeat(1000)}203.0.113.7`, "203.0.113.7"],
  ["10.0.0.1", "203.0.113.7", "203.0.113.7"],
  ["2001:db8:fe::1", "203.0.113.7", "2001:db8:fe::1"],
])("peer %s with X-Forwarded-For %.60s is %s", (peer, header, client) => {
  expect(read(peer, { "x-forwarded-for": header }).address.toString()).toBe(client);
});

test.each([
  ["127.0.0.1", { host: "r:5000" }, false, "http", "r:5000"],
  ["127.0.0.1", { host: "r:5000", "x-forwarded-proto": "https" }, false, "https", "r:5000"],
  ["127.0.0.1", { host: "r", "x-forwarded-host": "evil, Public.example.org" }, false, "http", "public.example.org"],
  ["192.0.2.1", { host: "r", "x-forwarded-host": "evil", "x-forwarded-proto": "https" }, false, "http", "r"],
  ["192.0.2.1", { host: "r" }, true, "https", "r"],
  ["192.0.2.1", { host: "[2001:db8::1]:5000" }, false, "http", "[2001:db8::1]:5000"],
  ["192.0.2.1", { host: "r/../x" }, false, "http", undefined],
  ["192.0.2.1", { host: 'r"><script>' }, false, "http", undefined],
  ["192.0.2.1", { host: "a".repeat(300) }, false, "http", undefined],
  ["192.0.2.1", {}, false, "http", undefined],
])("peer %s with %j, encrypted: %s, is %s and %s", (peer, headers, encrypted, scheme, host) => {
  expect(read(peer, headers as unknown as Record<string, string>, encrypted)).toMatchObject({ scheme, host });
});
