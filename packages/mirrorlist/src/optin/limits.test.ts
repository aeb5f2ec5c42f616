import { describe, expect, test } from "vitest";
import { problemOfAsn, problemOfNetblock, problemOfUrl } from "./limits.ts";

const OPEN = { allowPrivateAddress: false };
const CLOSED = { allowPrivateAddress: true };

describe("netblocks", () => {
  test.each(["133.1.0.0/16", "133.1.2.0/24", "2001:200::/32", "2001:200:8000::/48"])("%s can be claimed", (text) =>
    expect(problemOfNetblock(text, OPEN)).toBeUndefined(),
  );
  test.each([
    ["133.0.0.0/15", "/16"],
    ["0.0.0.0/0", "/16"],
    ["2001:200::/31", "/32"],
    ["::/0", "/32"],
    ["10.1.0.0/16", "private"],
    ["127.0.0.0/24", "loopback"],
    ["fd00:1::/48", "uniqueLocal"],
    ["::ffff:133.1.0.0/112", "IPv4"],
  ])("%s cannot: %s", (text, reason) => expect(problemOfNetblock(text, OPEN)).toMatch(reason));
  test("in a closed network, private ones can, and the size counts all the same", () => {
    expect(problemOfNetblock("10.1.0.0/16", CLOSED)).toBeUndefined();
    expect(problemOfNetblock("10.0.0.0/8", CLOSED)).toMatch("/16");
  });
});

describe("autonomous systems", () => {
  test.each([1, 2497, 23_455, 64_495, 131_072, 4_199_999_999])("AS%d can be somebody's", (asn) =>
    expect(problemOfAsn(asn)).toBeUndefined(),
  );
  test.each([0, 23_456, 64_496, 64_512, 65_534, 65_535, 65_536, 65_552, 131_071, 4_200_000_000, 4_294_967_295])(
    "AS%d cannot",
    (asn) => expect(problemOfAsn(asn)).toMatch(`AS${asn}`),
  );
});

describe("URLs", () => {
  const own = { ...OPEN, ownHost: "registry.example.org" };
  test.each([
    "http://mirror.example.net/",
    "https://mirror.example.net:8443/pub/containers/",
    "http://203.0.114.7/",
    "http://[2001:200::7]/",
    "http://example.org/",
    "http://notregistry.example.org/",
  ])("%s can be a mirror's", (url) => expect(problemOfUrl(url, own)).toBeUndefined());
  test.each([
    ["http://127.0.0.1/", "private, loopback"],
    ["http://10.1.2.3:8080/", "private"],
    ["http://2130706433/", "private"],
    ["http://0x7f.1/", "private"],
    ["http://[::1]/", "loopback"],
    ["http://[::ffff:10.0.0.1]/", "private"],
    ["http://169.254.169.254/", "private"],
    ["http://localhost:5000/", "not in the public DNS"],
    ["http://intranet/", "not in the public DNS"],
    ["http://db.internal/", "not in the public DNS"],
    ["http://registry.example.org/", "own name"],
    ["https://m1.registry.example.org./", "own name"],
    ["http://mirror.example.net/?a=b", "query"],
    [`http://mirror.example.net/${"a".repeat(300)}/`, "longer"],
  ])("%s cannot: %s", (url, reason) => expect(problemOfUrl(new URL(url).href, own)).toMatch(reason));
  test("in a closed network, private addresses and names can, and the own name still cannot", () => {
    expect(problemOfUrl("http://127.0.0.1:8081/", CLOSED)).toBeUndefined();
    expect(problemOfUrl("http://intranet/", CLOSED)).toBeUndefined();
    expect(problemOfUrl("http://registry.example.org/", { ...CLOSED, ownHost: "registry.example.org" })).toMatch("own");
  });
});
