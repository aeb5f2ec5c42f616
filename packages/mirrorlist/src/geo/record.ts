import type { Position } from "../selection/position.ts";
import type { Place } from "./geo.ts";

/**
 * What a database's record says of a place. The makers use different words: `country_code`, `latitude` (DB-IP by
 * ip-location-db), `country.iso_code`, `location.latitude` (MaxMind).
 */
export function placeOf(record: unknown): Place {
  const country = field(record, "country_code") ?? field(field(record, "country"), "iso_code");
  const asn = field(record, "autonomous_system_number");
  const position = positionOf(field(record, "location")) ?? positionOf(record);
  return {
    ...(typeof country === "string" && /^[A-Z]{2}$/.test(country) ? { country } : {}),
    ...(typeof asn === "number" ? { asn } : {}),
    ...(position === undefined ? {} : { position }),
  };
}

function positionOf(record: unknown): Position | undefined {
  const [latitude, longitude] = [degrees(field(record, "latitude"), 90), degrees(field(record, "longitude"), 180)];
  return latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
}

/** Some databases have numbers, some have them as text. */
function degrees(value: unknown, most: number): number | undefined {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Math.abs(number) <= most ? number : undefined;
}

const field = (record: unknown, name: string): unknown =>
  typeof record === "object" && record !== null ? (record as Record<string, unknown>)[name] : undefined;
