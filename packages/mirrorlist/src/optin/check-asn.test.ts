import { expect, test } from "vitest";
import { staticGeo } from "../geo/static.ts";
import { declare } from "../testing/mirrors.ts";
import { createCheckAsn } from "./check-asn.ts";

const check = createCheckAsn(
  staticGeo({ "203.0.113.0/24": { asn: 2497 }, "127.0.0.0/8": { asn: 1 }, "2001:db8::/32": { asn: 2500 } }),
);

test.each([
  ["no ASN is declared", "http://203.0.113.7/", undefined],
  ["it is the address's", "http://203.0.113.7:8080/pub/", 2497],
  ["it is the address's, IPv6", "http://[2001:db8::7]/", 2500],
  ["nobody knows whose the address is", "http://198.51.100.7/", 2497],
  ["the name does not resolve, which the crawler will find", "http://nothing.invalid/", 2497],
])("passes: %s", async (_, url, asn) => {
  expect(await check(declare("m", { url, ...(asn === undefined ? {} : { asn }) }))).toBeUndefined();
});

test.each([
  ["http://203.0.113.7/", /^asn: AS15169 is declared, and 203.0.113.7 is in AS2497$/],
  ["http://localhost:8080/", /^asn: AS15169 is declared, and localhost \(127.0.0.1\) is in AS1$/],
])("is refused at another's address: %s", async (url, message) => {
  const refusal = await check(declare("m", { url, asn: 15169 }));
  expect(refusal).toMatchObject({ kind: "refused", code: "INVALID", message: expect.stringMatching(message) });
});
