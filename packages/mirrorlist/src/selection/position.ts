/** A place on earth, in degrees. */
export interface Position {
  readonly latitude: number;
  readonly longitude: number;
}

/** The same place as seen from the middle of the earth: a vector of length 1. */
export type Direction = readonly [x: number, y: number, z: number];

/** The earth's mean radius (IUGG). */
const RADIUS_KM = 6371;
const RADIANS = Math.PI / 180;

/**
 * Where the bands end, in km; the last one has no end. About: the same city, a small country, a large one, a
 * continent, an ocean. Within a band nobody is nearer: positions are guesses, and networks are no straight lines.
 */
export const BAND_LIMITS_KM = [500, 1000, 2000, 4000, 8000] as const;

const BAND_COSINES = BAND_LIMITS_KM.map((km) => Math.cos(km / RADIUS_KM));

export function directionOf({ latitude, longitude }: Position): Direction {
  const [lat, long] = [latitude * RADIANS, longitude * RADIANS];
  return [Math.cos(lat) * Math.cos(long), Math.cos(lat) * Math.sin(long), Math.sin(lat)];
}

/** Along the great circle. */
export function distanceKm(a: Position, b: Position): number {
  return RADIUS_KM * Math.acos(Math.min(1, Math.max(-1, cosine(directionOf(a), directionOf(b)))));
}

/** The band that the one is in for the other; 0 is the nearest. */
export function bandOf(a: Direction, b: Direction): number {
  const nearness = cosine(a, b);
  const band = BAND_COSINES.findIndex((limit) => nearness >= limit);
  return band < 0 ? BAND_COSINES.length : band;
}

/** Of the angle between the two: 1 for the same place, -1 for the other end of the world. */
function cosine(a: Direction, b: Direction): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
