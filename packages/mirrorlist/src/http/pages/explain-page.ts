import type { ExplainedLayer, Explanation } from "../../explain/explain.ts";
import type { SpecError } from "../../spec-error.ts";
import { type Html, html } from "../html.ts";
import { clip, countryName, formatBytes, formatCount, plural } from "./format.ts";
import type { Page } from "./layout.ts";
import { imagePath, mirrorPath } from "./links.ts";

/** What was typed. */
export interface ExplainForm {
  readonly image: string;
  readonly ip: string;
  /** The asker's own address, as it will be taken where none is typed. */
  readonly own: string;
}

/** A page has room for so many layers, and for so many mirrors of each; the JSON has more. */
export const PAGE_LAYERS = 25;
const MAX_CANDIDATES = 15;
const MAX_REJECTED = 40;

/** The form, and the decision or why there is none. Cost: a selection among all mirrors for each of 25 layers. */
export function explainPage(form: ExplainForm, outcome: Explanation | SpecError | undefined): Page {
  const main = html`<h1>Which mirror, and why?</h1>
<p>What a pull of an image from an address would get, by the mirrors as they are now.</p>
<form class="explain" action="/explain" method="get">
<label>Image <input name="image" value="${form.image}" required maxlength="500" placeholder="fedora/app:40" spellcheck="false" autocapitalize="none" autocomplete="off"></label>
<label>Address <input name="ip" value="${form.ip}" maxlength="64" placeholder="${form.own} (yours)" spellcheck="false" autocomplete="off"></label>
<button>Explain</button></form>
${outcome?.kind === "error" && html`<p class="notice" role="alert">${outcome.message}${outcome.detail !== undefined && outcome.detail !== "" && `: ${outcome.detail}`}</p>`}
${outcome?.kind === "explanation" && decision(outcome)}`;
  const status = outcome?.kind === "error" ? { status: outcome.status } : {};
  return { title: "Explain · Nearlayer", main, section: "explain", isPassing: outcome !== undefined, ...status };
}

function decision({ image, client, delivery, scheme, layers, omittedLayers }: Explanation): Html {
  const reference = `${image.repository}${image.reference.includes(":") ? "@" : ":"}${image.reference}`;
  const place = [
    client.country === undefined ? "country unknown" : countryName(client.country),
    client.asn === undefined ? "" : `AS${client.asn}`,
    client.position === undefined ? "" : `taken to be near ${degrees(client.position)}`,
  ].filter((text) => text !== "");
  return html`<h2>The decision</h2>
<dl class="facts">
<div><dt>Image</dt><dd><a href="${imagePath(reference)}">${reference}</a> <code class="breaks quiet">${image.digest}</code></dd></div>
<div><dt>Client</dt><dd>${client.address} <span class="quiet">as all of ${client.prefix}</span></dd></div>
<div><dt>Place</dt><dd>${place.join(", ")}</dd></div>
<div><dt>Delivery</dt><dd>${delivery.configured}${delivery.pinned !== undefined && `, never rewritten: ${delivery.pinned}`}</dd></div>
${scheme !== "any" && html`<div><dt>Scheme</dt><dd>${scheme}</dd></div>`}
</dl>
${layers.length === 0 && html`<p>The image has no layers that come from mirrors.</p>`}
${layers.map((layer, index) => layerPart(layer, index === 0))}
${omittedLayers > 0 && html`<p>And ${plural(omittedLayers, "more layer")}.</p>`}`;
}

const degrees = ({ latitude, longitude }: { latitude: number; longitude: number }) =>
  `${Math.abs(latitude).toFixed(0)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude).toFixed(0)}° ${longitude < 0 ? "W" : "E"}`;

function layerPart(
  { digest, size, platforms, chosen, candidates, rejected, overflowed }: ExplainedLayer,
  isOpen: boolean,
): Html {
  const caption = `In this order; after the last, the origin.`;
  return html`<details class="layer"${isOpen && html` open`}><summary><code title="${digest}">${digest.slice(0, 19)}</code> <span class="quiet">${formatBytes(size)}, ${platforms.join(" ")}</span> → <strong>${chosen}</strong></summary>
${overflowed.length > 0 && html`<p>Too little bandwidth for all clients that are nearest to it, and this one goes on to the next: ${overflowed.map(rankText).join(", ")}.</p>`}
<div class="scroll" role="region" aria-label="Mirrors for ${digest.slice(0, 19)}" tabindex="0"><table><caption>${caption}</caption><thead><tr><th scope="col" class="number">#</th><th scope="col">Mirror</th><th scope="col">Rank</th><th scope="col">Country</th><th scope="col" class="number">Distance</th><th scope="col">Score, or why not</th></tr></thead><tbody>
${candidates
  .slice(0, MAX_CANDIDATES)
  .map(
    ({ mirror, rank, country, distanceKm, score, platform }, index) =>
      html`<tr><td class="number">${index + 1}</td><th scope="row"><a href="${mirrorPath(mirror)}">${mirror}</a></th><td>${rankText(rank)}</td><td>${countryName(country)}</td><td class="number">${distance(distanceKm)}</td><td class="long"><span class="quiet">${platform},</span> ${score}</td></tr>\n`,
  )}<tr><td class="number">${formatCount(candidates.length + 1)}</td><th scope="row">origin</th><td>last</td><td>–</td><td class="number">–</td><td class="long">${candidates.length > MAX_CANDIDATES && `after ${plural(candidates.length - MAX_CANDIDATES, "more mirror")}`}</td></tr>
${rejected
  .slice(0, MAX_REJECTED)
  .map(
    ({ mirror, country, distanceKm, reason, detail }) =>
      html`<tr class="excluded"><td class="number">–</td><th scope="row"><a href="${mirrorPath(mirror)}">${mirror}</a></th><td>not: ${reason}</td><td>${countryName(country)}</td><td class="number">${distance(distanceKm)}</td><td class="long">${clip(detail, 300)}</td></tr>\n`,
  )}</tbody></table></div>
${rejected.length > MAX_REJECTED && html`<p>And ${plural(rejected.length - MAX_REJECTED, "more mirror")} that cannot serve it.</p>`}
</details>
`;
}

const distance = (km: number | undefined): string => (km === undefined ? "–" : `${formatCount(km)} km`);

/** A rank's name in words. */
function rankText(rank: string): string {
  const [kind, detail] = rank.split("/");
  if (kind === "netblock") return `in its netblock (/${detail})`;
  if (kind === "asn") return "same network";
  if (kind === "country") return "same country";
  if (kind === "distance") return detail === "far" ? "far" : `within ${formatCount(Number(detail))} km`;
  return "distance unknown";
}
