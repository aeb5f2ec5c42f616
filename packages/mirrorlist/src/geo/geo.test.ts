import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@nearlayer/shared/log";
import { expect, onTestFinished, test, vi } from "vitest";
import { parseAddress } from "../selection/client.ts";
import { mmdbOf } from "../testing/mmdb.ts";
import type { Geo } from "./geo.ts";
import { openMmdbGeo } from "./mmdb.ts";
import { staticGeo } from "./static.ts";
import { watchMmdbGeo } from "./watch.ts";

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

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "nearlayer-geo-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

const MAXMIND_CITY = {
  country: { iso_code: "JP" },
  location: { latitude: 43.06, longitude: 141.35 },
  city: { names: { en: "Sapporo" } },
};

test("country, city and ASN come together, in the words of each maker", async () => {
  const dir = await folder();
  const write = async (name: string, records: Record<string, unknown>, type?: string) => {
    await writeFile(join(dir, name), mmdbOf(records, type));
    return join(dir, name);
  };
  const geo = await openMmdbGeo({
    country: await write("country.mmdb", { "192.0.2.1": { country_code: "DE" }, "192.0.2.2": { country_code: "FR" } }),
    city: await write(
      "city.mmdb",
      {
        "192.0.2.1": MAXMIND_CITY,
        "192.0.2.3": { country_code: "BR", latitude: -23.5, longitude: -46.6 },
        "192.0.2.4": { country_code: "BR", latitude: "-23.5", longitude: "" },
      },
      "GeoLite2-City",
    ),
    asn: await write("asn.mmdb", { "192.0.2.1": { autonomous_system_number: 64500 } }),
  });
  expect(locate(geo, "192.0.2.1")).toEqual({
    country: "JP",
    position: { latitude: 43.06, longitude: 141.35 },
    asn: 64500,
  });
  expect(locate(geo, "192.0.2.2")).toEqual({ country: "FR" });
  expect(locate(geo, "192.0.2.3")).toEqual({ country: "BR", position: { latitude: -23.5, longitude: -46.6 } });
  expect(locate(geo, "192.0.2.4")).toEqual({ country: "BR" });
  // 192.0.2.1, to a database that has IPv4 alone.
  expect(locate(geo, "c000:201::")).toEqual({});
  expect(geo.attributions).toMatchObject([{ url: "https://www.maxmind.com" }]);
});

test("a database is read again when its file changes, and one that is broken changes nothing", async () => {
  const dir = await folder();
  const country = join(dir, "country.mmdb");
  const put = async (bytes: Buffer) => {
    await writeFile(join(dir, "next"), bytes);
    await rename(join(dir, "next"), country);
  };
  const of = (code: string) => mmdbOf({ "192.0.2.1": { country_code: code } });
  await put(of("JP"));
  const log = createLogger("test", "silent");
  const complaint = vi.spyOn(log, "error");
  await using geo = await watchMmdbGeo({ country }, log, 3_600_000);
  expect([locate(geo, "192.0.2.1"), await geo.refresh()]).toEqual([{ country: "JP" }, false]);
  await put(of("DE"));
  expect([await geo.refresh(), locate(geo, "192.0.2.1")]).toEqual([true, { country: "DE" }]);
  for (const bytes of [of("FR").subarray(0, -40), Buffer.from("nonsense"), Buffer.alloc(0)]) {
    complaint.mockClear();
    await put(bytes);
    expect([await geo.refresh(), await geo.refresh(), locate(geo, "192.0.2.1")]).toEqual([
      false,
      false,
      { country: "DE" },
    ]);
    expect(complaint).toHaveBeenCalledTimes(1);
  }
  await rm(country);
  expect([await geo.refresh(), locate(geo, "192.0.2.1")]).toEqual([false, { country: "DE" }]);
  await put(of("BR"));
  expect([await geo.refresh(), locate(geo, "192.0.2.1")]).toEqual([true, { country: "BR" }]);
});

test("other files take the place of those that it began with, unless one cannot be read", async () => {
  const dir = await folder();
  const [first, second] = [join(dir, "first.mmdb"), join(dir, "second.mmdb")];
  await writeFile(first, mmdbOf({ "192.0.2.1": { country_code: "JP" } }));
  await writeFile(second, mmdbOf({ "192.0.2.1": { country_code: "DE" } }));
  await using geo = await watchMmdbGeo({ country: first }, createLogger("test", "silent"), 3_600_000);
  await expect(geo.replace({ country: join(dir, "nowhere.mmdb") })).rejects.toThrow("nowhere.mmdb cannot be read");
  expect(locate(geo, "192.0.2.1")).toEqual({ country: "JP" });
  await geo.replace({ country: second });
  expect(locate(geo, "192.0.2.1")).toEqual({ country: "DE" });
});

test("it is looked at without being asked, until it is disposed of", async () => {
  const country = join(await folder(), "country.mmdb");
  await writeFile(country, mmdbOf({ "192.0.2.1": { country_code: "JP" } }));
  const geo = await watchMmdbGeo({ country }, createLogger("test", "silent"), 5);
  await writeFile(country, mmdbOf({ "192.0.2.1": { country_code: "DE" }, "192.0.2.2": { country_code: "DE" } }));
  await vi.waitFor(() => expect(locate(geo, "192.0.2.1")).toEqual({ country: "DE" }), 10_000);
  await geo[Symbol.asyncDispose]();
});
