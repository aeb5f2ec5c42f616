import { expect, test } from "vitest";
import { parseAddress } from "../selection/client.ts";
import type { Geo } from "./geo.ts";
import { openMmdbGeo } from "./mmdb.ts";
import { staticGeo } from "./static.ts";

function locate(geo: Geo, text: string) {
  const address = parseAddress(text);
  return address === undefined ? undefined : geo.locate(address);
}

test("the installed database knows countries, IPv4 and IPv6, and its licence is honoured", async () => {
  const geo = await openMmdbGeo({});
  // IIJ in Tokyo and the University of Stuttgart have held these for decades.
  expect(locate(geo, "202.232.2.1")).toEqual({ country: "JP" });
  expect(locate(geo, "129.69.1.1")).toEqual({ country: "DE" });
  expect(locate(geo, "2001:240::1")).toEqual({ country: "JP" });
  expect(locate(geo, "127.0.0.1")).toEqual({});
  expect(geo.attributions).toEqual([{ text: "IP Geolocation by DB-IP", url: "https://db-ip.com" }]);
});

test("a database that is not one is named", async () => {
  await expect(openMmdbGeo({ country: import.meta.filename })).rejects.toThrow(
    `${import.meta.filename} cannot be read`,
  );
  await expect(openMmdbGeo({ asn: "/nowhere.mmdb" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("static places go by netblock", () => {
  const geo = staticGeo({ "203.0.113.0/24": { country: "JP" }, "2001:db8::/32": { country: "DE", asn: 64500 } });
  expect(locate(geo, "203.0.113.7")).toEqual({ country: "JP" });
  expect(locate(geo, "2001:db8::1")).toEqual({ country: "DE", asn: 64500 });
  expect(locate(geo, "192.0.2.1")).toEqual({});
  expect(geo.attributions).toEqual([]);
});
