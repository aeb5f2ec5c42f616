import countries from "country-js/countries.json" with { type: "json" };
import type { Position } from "../selection/position.ts";

/** What country-js 0.10 lacks, though addresses are in it. Degrees, as any atlas has them. */
const MISSING: Readonly<Record<string, readonly [latitude: number, longitude: number]>> = {
  AX: [60.2, 20],
  BL: [17.9, -62.8],
  BQ: [12.2, -68.3],
  CW: [12.2, -69],
  MF: [18.1, -63.1],
  PS: [31.9, 35.2],
  SX: [18, -63.1],
  TL: [-8.8, 125.7],
  XK: [42.6, 20.9],
};

const centroids = new Map<string, Position>([
  ...countries.map(({ code, geo: { latitude, longitude } }): [string, Position] => [code, { latitude, longitude }]),
  ...Object.entries(MISSING).map(([code, [latitude, longitude]]): [string, Position] => [
    code,
    { latitude, longitude },
  ]),
]);

/** The middle of a country (ISO 3166-1, two capital letters): where it is when nothing better is known. */
export function centroidOf(country: string): Position | undefined {
  return centroids.get(country);
}
