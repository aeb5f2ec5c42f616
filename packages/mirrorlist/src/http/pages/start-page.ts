import type { Repository } from "@nearlayer/shared/reference";
import type { MirrorDescription } from "../../mirrors/describe.ts";
import type { Overview } from "../../records/records.ts";
import type { Snapshot } from "../../served/snapshot.ts";
import { type Html, html } from "../html.ts";
import { commandLine, type RegistryName } from "./commands.ts";
import { formatBytes, formatCount, formatDuration, moment, plural } from "./format.ts";
import { type Page, searchForm } from "./layout.ts";
import { imagePath } from "./links.ts";
import { pageAt, pageLinks } from "./paged.ts";
import { type Propagation, propagationOf, type Typical } from "./propagation.ts";
import { searchNames } from "./search.ts";

export interface StartSources {
  readonly snapshot: Snapshot;
  readonly mirrors: readonly MirrorDescription[];
  readonly overview: Overview | undefined;
  readonly registry: RegistryName;
  readonly notices: readonly string[];
  readonly now: number;
}

const REPOSITORIES_AT_A_TIME = 100;

/** Cost: a look at each name when there is a query, else at the hundred that are shown. */
export async function startPage(query: URLSearchParams, sources: StartSources): Promise<Page> {
  const { snapshot, registry, notices } = sources;
  const text = (query.get("q") ?? "").slice(0, 200);
  const { repositoryNames } = snapshot;
  const found = text.trim() === "" ? repositoryNames : await searchNames(repositoryNames, nameIn(text, registry.host));
  const part = pageAt(found, query.get("page"), REPOSITORIES_AT_A_TIME);
  const isFirst = text.trim() === "" && part.page === 1;
  const main = html`${
    isFirst
      ? html`<section class="hero"><h1>A container registry whose layers come from a mirror near you</h1>
<p>Pull from <strong>${registry.host}</strong> as from any registry, with no set-up: one host names the layers, and volunteer
mirrors around the world send them.</p>
${commandLine(`docker pull ${registry.host}/${repositoryNames[0] ?? "REPOSITORY"}`)}
${searchForm(text)}</section>
${networkPart(sources)}`
      : html`<h1>Repositories</h1>
${searchForm(text)}`
  }
<section aria-labelledby="repositories"><h2 id="repositories">${
    text.trim() === ""
      ? plural(part.total, "repository", "repositories")
      : html`${plural(part.total, "repository", "repositories")} with “${text}”`
  }</h2>
${part.total === 0 && html`<p>${text.trim() === "" ? "Nothing has been published yet." : "Try a shorter word, or a part of the name."}</p>`}
<ul class="repositories">${part.items.map((name) => repositoryItem(name, snapshot))}</ul>
${pageLinks(part, "/", { q: text })}</section>`;
  const title = isFirst ? "Nearlayer: a container registry with mirrors near you" : "Repositories · Nearlayer";
  return { title, main, notices, section: "repositories", hasSearch: true, hasCommands: isFirst, isPassing: !isFirst };
}

/** People paste what they know: a command, a reference with its tag. */
function nameIn(text: string, host: string): string {
  const reference = text.trim().replace(/^(?:docker|podman|nerdctl) pull\s+/, "");
  return reference.replace(`${host}/`, "").replace(/[:@].*$/, "");
}

function repositoryItem(name: Repository, { repositories }: Snapshot): Html {
  const tags = repositories.get(name)?.tagNames.length ?? 0;
  const slash = name.lastIndexOf("/") + 1;
  return html`<li><a href="${imagePath(name)}"><span class="quiet">${name.slice(0, slash)}</span>${name.slice(slash)}</a> <span class="quiet">${plural(tags, "tag")}</span></li>
`;
}

function networkPart({ mirrors, overview, snapshot, now }: StartSources): Html {
  const serving = mirrors.filter(({ state }) => state === "active" || state === "stale");
  const countries = new Set(serving.map(({ country }) => country));
  const propagation = overview && propagationOf(overview.travels, now);
  return html`<section aria-labelledby="network"><h2 id="network">The network</h2>
<dl class="figures">
<div><dt>Mirrors in use</dt><dd><a href="/mirrors">${formatCount(serving.length)}</a> <span class="quiet">of ${formatCount(mirrors.length)}</span></dd></div>
<div><dt>Countries</dt><dd>${formatCount(countries.size)}</dd></div>
${propagation !== undefined && propagationFigures(propagation)}
</dl>
${generationTable(snapshot, overview, now)}</section>`;
}

function propagationFigures({ generations, half, ninety, all }: Propagation): Html {
  if (generations === 0) return html``;
  return html`<div><dt>New content reaches half of the mirrors</dt><dd>${typical(half)}</dd></div>
<div><dt>… nine in ten</dt><dd>${typical(ninety)}</dd></div>
<div><dt>… all of them</dt><dd>${typical(all)}</dd></div>`;
}

function typical(time: Typical | undefined): Html {
  if (time === undefined) return html`–`;
  return html`<span class="quiet">${time.isOpen ? "after more than" : "in"}</span> ${formatDuration(time.seconds)}`;
}

function generationTable({ generations }: Snapshot, overview: Overview | undefined, now: number): Html {
  if (generations.size === 0) return html``;
  const rows = [...generations].sort(([a], [b]) => (a < b ? -1 : 1));
  return html`<table class="stacked"><caption>Newest generation of each platform</caption><thead><tr><th scope="col">Platform</th><th scope="col" class="number">Generation</th><th scope="col">Made</th><th scope="col" class="number">Blobs</th><th scope="col" class="number">Size</th></tr></thead><tbody>${rows.map(
    ([platform, number]) => {
      const newest = overview?.generations.get(platform)?.newest;
      const known = newest?.number === number ? newest : undefined;
      return html`<tr><th scope="row">${platform}</th><td data-label="Generation" class="number">${formatCount(number)}</td><td data-label="Made">${moment(known?.time, now)}</td><td data-label="Blobs" class="number">${known === undefined ? "–" : formatCount(known.files)}</td><td data-label="Size" class="number">${known === undefined ? "–" : formatBytes(known.bytes)}</td></tr>\n`;
    },
  )}</tbody></table>`;
}
