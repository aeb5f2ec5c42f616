import type { MirrorChange } from "@nearlayer/shared/catalog/mirrors";
import type { Audit, ProbeRecord } from "@nearlayer/shared/catalog/network-view";
import type { MirrorDescription, PlatformDescription } from "../../mirrors/describe.ts";
import type { MirrorHistory } from "../../records/records.ts";
import { type Html, html, webUrl } from "../html.ts";
import { commandLine } from "./commands.ts";
import {
  clip,
  countryName,
  formatBandwidth,
  formatBytes,
  formatCount,
  formatLag,
  formatShare,
  moment,
  plural,
  shortDigest,
} from "./format.ts";
import type { Page } from "./layout.ts";
import { mirrorPath } from "./links.ts";
import { historyPlot } from "./plot.ts";
import { STATE_MEANINGS, stateLabel } from "./states.ts";

export interface MirrorSources {
  readonly mirror: MirrorDescription;
  /** Undefined while the catalog cannot be read. */
  readonly history: MirrorHistory | undefined;
  /** Takes out of a text what nobody should read of a private mirror. */
  readonly hide: (text: string) => string;
  readonly baseUrl: string;
  readonly notices: readonly string[];
  readonly now: number;
}

/** Cost: some hundred rows of the catalog. */
export function mirrorPage({ mirror, history, hide, baseUrl, notices, now }: MirrorSources): Page {
  const { name, state, country, bandwidth, lag, share, platforms } = mirror;
  const isPending = state === "pending";
  // What a stranger has written is no link before it is known to be theirs.
  const url = isPending ? undefined : webUrl(mirror.url);
  const reason = hide(mirror.reason ?? "");
  const main = html`<nav class="crumbs" aria-label="Breadcrumb"><a href="/mirrors">Mirrors</a></nav>
<h1 class="name">${name}</h1>
<p class="lead">${stateLabel(state)} <span class="quiet">${STATE_MEANINGS[state]}</span></p>
<dl class="facts">
${reason !== "" && html`<div><dt>Why</dt><dd>${clip(reason, 500)}</dd></div>`}
${mirror.since !== undefined && html`<div><dt>Since</dt><dd>${moment(mirror.since, now)}</dd></div>`}
<div><dt>Lag</dt><dd>${formatLag(lag)}</dd></div>
<div><dt>Country</dt><dd>${countryName(country)}</dd></div>
<div><dt>Bandwidth</dt><dd>${formatBandwidth(bandwidth)}</dd></div>
<div><dt>URL</dt><dd>${url === undefined ? html`<span class="quiet">${mirror.private ? "private: for its own netblocks" : "not shown"}</span>` : html`<a class="breaks" href="${url}" rel="nofollow noopener">${url}</a>`}</dd></div>
${history !== undefined && redirectFacts(history, share)}
</dl>
${history !== undefined && html`<h2>The last seven days</h2>\n${historyPlot(history.hours, now)}`}
${platformTable(platforms, history?.probes ?? [], hide, now)}
${history !== undefined && changeTable(history.changes, hide, now)}
${history !== undefined && auditTable(history.audits, hide, now)}
${!isPending && badgePart(name, baseUrl)}`;
  return {
    title: `${name} · Mirrors · Nearlayer`,
    main,
    notices,
    section: "mirrors",
    hasCommands: true,
    isPassing: isPending,
  };
}

function redirectFacts({ day, week }: MirrorHistory, share: number | undefined): Html {
  const of = ({ redirects, bytes }: MirrorHistory["day"]) => `${plural(redirects, "layer")}, ${formatBytes(bytes)}`;
  return html`<div><dt>Sent here, 24 h</dt><dd>${of(day)}${share !== undefined && ` (${formatShare(share)} of all)`}</dd></div>
<div><dt>Sent here, 7 days</dt><dd>${of(week)}</dd></div>`;
}

function platformTable(
  platforms: readonly PlatformDescription[],
  probes: readonly ProbeRecord[],
  hide: (text: string) => string,
  now: number,
): Html {
  if (platforms.length === 0) return html`<h2>Platforms</h2>\n<p>Nothing is known of them yet.</p>`;
  const rows = platforms.map(({ platform, state, generation, shown, behind, lag, doubt, seenAt, failure }) => {
    const probe = probes.find((one) => one.platform === platform);
    const why = failure ?? doubt ?? (state === "unknown" ? probe?.failure : undefined);
    const counted = generation ?? probe?.generation;
    return html`<tr><th scope="row">${platform}</th><td data-label="State">${state}</td>
<td data-label="Generation" class="number">${count(counted)}</td><td data-label="Shown" class="number">${count(shown ?? probe?.shown ?? counted)}</td>
<td data-label="Behind" class="number">${behind === undefined ? "–" : behind === 0 ? "0" : `${formatCount(behind)} (${formatLag(lag)})`}</td>
<td data-label="Last seen">${moment(seenAt ?? probe?.seenAt ?? undefined, now)}</td>
<td data-label="What is wrong" class="long">${typeof why === "string" ? clip(hide(why), 300) : "–"}</td></tr>
`;
  });
  return html`<h2>Platforms</h2>
<table class="stacked"><thead><tr><th scope="col">Platform</th><th scope="col">State</th><th scope="col" class="number">Generation</th><th scope="col" class="number">Shown</th><th scope="col" class="number">Behind</th><th scope="col">Last seen</th><th scope="col">What is wrong</th></tr></thead>
<tbody>${rows}</tbody></table>
<p class="quiet">A generation that is shown counts once a sample of its new blobs has been seen.</p>`;
}

const count = (value: number | null | undefined): string =>
  value === undefined || value === null ? "–" : formatCount(value);

function changeTable(changes: readonly MirrorChange[], hide: (text: string) => string, now: number): Html {
  if (changes.length === 0) return html``;
  return html`<h2>Changes of state</h2>
<table class="stacked"><thead><tr><th scope="col">When</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Why</th><th scope="col">By</th></tr></thead>
<tbody>${changes.map(
    ({ at, fromState, toState, reason, actor }) =>
      html`<tr><td data-label="When">${moment(at, now)}</td><td data-label="From">${fromState === null ? "–" : stateLabel(fromState)}</td><td data-label="To">${stateLabel(toState)}</td><td data-label="Why" class="long">${clip(hide(reason), 300)}</td><td data-label="By">${actor}</td></tr>\n`,
  )}</tbody></table>`;
}

function auditTable(audits: readonly Audit[], hide: (text: string) => string, now: number): Html {
  if (audits.length === 0) return html``;
  return html`<h2>Last checks</h2>
<table class="stacked"><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Platform</th><th scope="col">Blob</th><th scope="col">Result</th></tr></thead>
<tbody>${audits.map(
    ({ at, kind, platform, digest, ok, detail }) =>
      html`<tr><td data-label="When">${moment(at, now)}</td><td data-label="What">${AUDIT_NAMES[kind] ?? kind}</td><td data-label="Platform">${platform}</td><td data-label="Blob">${digest === null ? "–" : html`<code title="${digest}">${shortDigest(digest)}</code>`}</td><td data-label="Result" class="long"><span class="${ok ? "ok" : "not-ok"}">${ok ? "good" : "bad"}</span> ${clip(hide(detail), 300)}</td></tr>\n`,
  )}</tbody></table>`;
}

const AUDIT_NAMES: Readonly<Record<string, string>> = {
  head: "size of a blob",
  range: "a piece of a blob",
  hash: "a whole blob",
  listing: "listing",
  proof: "proof of control",
};

function badgePart(name: string, baseUrl: string): Html {
  const page = `${baseUrl}${mirrorPath(name)}`;
  return html`<h2>Badge</h2>
<p><img src="${mirrorPath(name)}/badge.svg" alt="The badge of ${name}" height="20"></p>
${commandLine(`[![Nearlayer mirror](${page}/badge.svg)](${page})`)}`;
}
