import { expect, test } from "vitest";
import { centroidOf } from "../geo/centroids.ts";
import { BAND_LIMITS_KM, bandOf, directionOf, distanceKm } from "./position.ts";

const TOKYO = { latitude: 35.68, longitude: 139.69 };
const BERLIN = { latitude: 52.52, longitude: 13.4 };

test.each([
  ["Tokyo to Berlin", TOKYO, BERLIN, 8918],
  ["across the date line", { latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }, 111],
  ["pole to pole", { latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 }, 20_015],
  ["to itself", TOKYO, TOKYO, 0],
])("%s", (_, a, b, km) => {
  // By other programs on a sphere of the same radius; a kilometre for the places' own digits.
  expect(Math.abs(distanceKm(a, b) - km)).toBeLessThan(1.5);
  expect(distanceKm(b, a)).toBeCloseTo(distanceKm(a, b), 6);
});

test("a band ends where it says", () => {
  const north = (km: number) => directionOf({ latitude: (km / 6371) * (180 / Math.PI), longitude: 0 });
  for (const [band, km] of BAND_LIMITS_KM.entries()) {
    expect([bandOf(north(0), north(km - 1)), bandOf(north(0), north(km + 1))]).toEqual([band, band + 1]);
  }
});

test.each([
  ["JP", 36, 138],
  ["DE", 51, 10],
  ["BR", -12, -54],
  ["XK", 43, 21],
  ["PS", 32, 35],
])("%s has a middle", (country, latitude, longitude) => {
  const middle = centroidOf(country);
  expect(middle && distanceKm(middle, { latitude, longitude })).toBeLessThan(400);
});

test("what is no country has none", () => {
  expect([centroidOf("ZZ"), centroidOf("")]).toEqual([undefined, undefined]);
});
