import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import type { MirrorDescription } from "../../mirrors/describe.ts";
import { type Html, html, webUrl } from "../html.ts";
import { commandLine } from "./commands.ts";
import { clip, countryName, formatBandwidth, formatCount, formatLag, formatShare, plural } from "./format.ts";
import type { Page } from "./layout.ts";
import { hrefOf, mirrorPath } from "./links.ts";
import { type MapMirror, worldMap } from "./map.ts";
import { pageAt, pageLinks } from "./paged.ts";
import { STATE_MEANINGS, STATES, stateLabel } from "./states.ts";

export interface MirrorsSources {
  readonly mirrors: readonly MirrorDescription[];
  readonly onMap: readonly MapMirror[];
  readonly notices: readonly string[];
  /** Where mirrors opt in over HTTP, if they do. */
  readonly optInUrl: string | undefined;
}

const MIRRORS_AT_A_TIME = 250;

type Column = "name" | "country" | "bandwidth" | "state" | "lag" | "share";

/** What is compared, and whether most or least of it comes first. */
const COLUMNS: Readonly<
  Record<Column, { title: string; value: (mirror: MirrorDescription) => string | number; first: "asc" | "desc" }>
> = {
  name: { title: "Mirror", value: ({ name }) => name, first: "asc" },
  country: { title: "Country", value: ({ country }) => countryName(country), first: "asc" },
  bandwidth: { title: "Bandwidth", value: ({ bandwidth }) => bandwidth, first: "desc" },
  state: { title: "State", value: ({ state }) => STATES.indexOf(state), first: "asc" },
  lag: { title: "Lag", value: ({ lag }) => lag ?? Number.POSITIVE_INFINITY, first: "asc" },
  share: { title: "Redirects, 24 h", value: ({ share }) => share ?? 0, first: "desc" },
};

/** Cost: a sort of the mirrors, 250 rows, and a point on the map for each mirror. */
export function mirrorsPage(query: URLSearchParams, { mirrors, onMap, notices, optInUrl }: MirrorsSources): Page {
  const column = readColumn(query.get("sort"));
  const asked = query.get("order");
  const order = asked === "asc" || asked === "desc" ? asked : COLUMNS[column].first;
  const part = pageAt(sortMirrors(mirrors, column, order), query.get("page"), MIRRORS_AT_A_TIME);
  const counts = STATES.map((state) => ({ state, count: mirrors.filter((one) => one.state === state).length })).filter(
    ({ count }) => count > 0,
  );
  const summary = `${plural(mirrors.length, "mirror")}: ${counts.map(({ state, count }) => `${count} ${state}`).join(", ")}.`;
  const main = html`<h1>Mirrors</h1>
${
  mirrors.length === 0
    ? html`<p>None yet: every layer comes from here.</p>`
    : html`<figure>${worldMap(onMap, summary)}
<figcaption><ul class="legend">${counts.map(
        ({ state, count }) =>
          html`<li>${stateLabel(state)} <span class="quiet">${formatCount(count)} · ${STATE_MEANINGS[state]}</span></li>\n`,
      )}</ul></figcaption></figure>
<table class="stacked sortable"><caption>${plural(mirrors.length, "mirror")}</caption>
<thead><tr>${(Object.keys(COLUMNS) as Column[]).map((one) => header(one, column, order))}</tr></thead>
<tbody>${part.items.map(mirrorRow)}</tbody></table>
${pageLinks(part, "/mirrors", { sort: query.has("sort") ? column : "", order: asked === null ? "" : order })}`
}
<p>The host names of all mirrors, one a line, for firewalls: <a href="/mirrors.txt">mirrors.txt</a>. All that is said here, for
programs: <a href="/mirrors.json">mirrors.json</a>.</p>
${optInUrl !== undefined && optInPart(optInUrl)}`;
  return {
    title: "Mirrors · Nearlayer",
    main,
    notices,
    section: "mirrors",
    hasCommands: true,
    isPassing: query.size > 0,
  };
}

/** What a mirror's admin does first; the answer says what comes next. */
function optInPart(url: string): Html {
  const mirror = {
    name: "mirror.example.org",
    url: "https://mirror.example.org/containers/",
    country: "JP",
    bandwidth: 1000,
  };
  return html`<h2>Have bandwidth to give?</h2>
<p>A mirror is a folder that rsync fills and a web server that serves it as plain files. Say where it is (bandwidth in Mbit/s); the
answer holds a token, which shows that the mirror is yours.</p>
${commandLine(`curl --json '${JSON.stringify(mirror)}' ${url}`)}`;
}

function readColumn(text: string | null): Column {
  return text !== null && Object.hasOwn(COLUMNS, text) ? (text as Column) : "name";
}

/** Equals by their names. */
export function sortMirrors(
  mirrors: readonly MirrorDescription[],
  column: Column,
  order: "asc" | "desc",
): readonly MirrorDescription[] {
  const { value } = COLUMNS[column];
  const sign = order === "asc" ? 1 : -1;
  const keyed = mirrors.map((mirror) => ({ mirror, key: value(mirror) }));
  keyed.sort((a, b) => sign * compare(a.key, b.key) || compare(a.mirror.name, b.mirror.name));
  return keyed.map(({ mirror }) => mirror);
}

const compare = <T extends string | number>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

const NUMBERS: readonly Column[] = ["bandwidth", "lag", "share"];

function header(column: Column, sorted: Column, order: "asc" | "desc"): Html {
  const { title, first } = COLUMNS[column];
  const isSorted = column === sorted;
  const next = isSorted ? (order === "asc" ? "desc" : "asc") : first;
  const direction = order === "asc" ? "ascending" : "descending";
  return html`<th scope="col"${NUMBERS.includes(column) && html` class="number"`}${isSorted && html` aria-sort="${direction}"`}><a href="${hrefOf("/mirrors", { sort: column, order: next })}">${title}${isSorted && (order === "asc" ? " ↑" : " ↓")}</a></th>`;
}

function mirrorRow(mirror: MirrorDescription): Html {
  const { name, country, bandwidth, state, reason, lag, share } = mirror;
  const why = reason !== undefined && state !== "active" && reason;
  return html`<tr><th scope="row"><a href="${mirrorPath(name)}">${name}</a>${mirror.private && html` <span class="quiet">private</span>`}</th>
<td data-label="Country">${countryName(country)}</td><td data-label="Bandwidth" class="number">${formatBandwidth(bandwidth)}</td>
<td data-label="State"${why !== false && html` class="long"`}>${stateLabel(state)}${why !== false && html`<div class="why">${clip(why, 200)}</div>`}</td>
<td data-label="Lag" class="number">${formatLag(lag)}</td><td data-label="Redirects, 24 h" class="number">${share === undefined ? "–" : formatShare(share)}</td></tr>
`;
}

/** States in which clients are, or were lately, or will soon be sent to a mirror; what a firewall should know of. */
const FOR_FIREWALLS: ReadonlySet<MirrorState> = new Set(["active", "stale", "checking", "unreachable", "quarantined"]);

/**
 * The hosts of all public mirrors, one a line, sorted: also of those that are out of use for a while, so that the list
 * changes when mirrors come and go, and not with their state.
 */
export function hostList(mirrors: readonly MirrorDescription[]): string {
  const hosts = mirrors
    .filter(({ state }) => FOR_FIREWALLS.has(state))
    .flatMap(({ url }) => {
      const link = webUrl(url);
      return link === undefined ? [] : [new URL(link).hostname];
    });
  return [...new Set(hosts)]
    .sort()
    .map((host) => `${host}\n`)
    .join("");
}
