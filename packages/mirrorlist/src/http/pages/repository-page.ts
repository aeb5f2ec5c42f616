import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import { findManifest, type ServedRepository, type Snapshot } from "../../served/snapshot.ts";
import { type Html, html } from "../html.ts";
import { commandLine, type RegistryName } from "./commands.ts";
import { formatBytes, formatCount, moment, plural, shortDigest } from "./format.ts";
import { configOf, factsOf, type TagFacts } from "./image-facts.ts";
import type { Page } from "./layout.ts";
import { imagePath } from "./links.ts";
import { pageAt, pageLinks } from "./paged.ts";
import { searchNames } from "./search.ts";
import { inTagOrder } from "./tag-order.ts";

/** Manifests are parsed for each tag that is shown, its platforms' as well. */
const TAGS_AT_A_TIME = 50;

/** Cost: at most 50 tags, about half a millisecond each the first time, and others get their turn after each. */
export async function repositoryPage(
  snapshot: Snapshot,
  name: Repository,
  repository: ServedRepository,
  registry: RegistryName,
  query: URLSearchParams,
  now: number,
): Promise<Page> {
  const text = (query.get("q") ?? "").slice(0, 200);
  const all = inTagOrder(repository.tagNames);
  const found = text === "" ? all : await searchNames(all, text);
  const part = pageAt(found, query.get("page"), TAGS_AT_A_TIME);
  const rows: Html[] = [];
  for (const tag of part.items) {
    const served = findManifest(snapshot, repository, { tag });
    if (served !== undefined) rows.push(tagRow(name, tag, factsOf(snapshot, repository, served), snapshot, now));
    await yieldToOthers();
  }
  const first = all.find((tag) => tag === "latest") ?? all[0];
  const example = first === undefined || first === "latest" ? name : `${name}:${first}`;
  const main = html`<nav class="crumbs" aria-label="Breadcrumb"><a href="/">Repositories</a></nav>
<h1 class="name">${name}</h1>
${first !== undefined && commandLine(`docker pull ${registry.host}/${example}`)}
<h2>${plural(all.length, "tag")}</h2>
${
  all.length > TAGS_AT_A_TIME &&
  html`<form class="filter" action="${imagePath(name)}" method="get"><label>Tags that contain <input type="search" name="q" value="${text}" maxlength="200" spellcheck="false" autocapitalize="none"></label> <button>Show</button></form>`
}
${text !== "" && html`<p>${plural(part.total, "tag")} with “${text}”. <a href="${imagePath(name)}">All tags</a></p>`}
${
  rows.length > 0 &&
  html`<table class="stacked"><thead><tr><th scope="col">Tag</th><th scope="col">Platforms</th><th scope="col">Created</th><th scope="col" class="number">Size</th><th scope="col">Digest</th></tr></thead>
<tbody>${rows}</tbody></table>`
}
${pageLinks(part, imagePath(name), { q: text })}`;
  const isPassing = text !== "" || part.page > 1;
  return { title: `${name} · Nearlayer`, main, section: "repositories", hasCommands: true, isPassing };
}

function tagRow(name: Repository, tag: Tag, facts: TagFacts, snapshot: Snapshot, now: number): Html {
  const { served, images, omitted } = facts;
  const platforms = images.map(({ platform }) => platform).filter((platform) => platform !== "");
  return html`<tr><th scope="row"><a href="${imagePath(`${name}:${tag}`)}">${tag}</a></th>
<td data-label="Platforms" class="long">${platforms.map((platform) => html`<span class="chip">${platform}</span> `)}${omitted > 0 && `and ${formatCount(omitted)} more`}</td>
<td data-label="Created">${moment(createdOf(facts, snapshot), now)}</td>
<td data-label="Size" class="number">${sizeRange(facts)}</td>
<td data-label="Digest"><code title="${served.digest}">${shortDigest(served.digest)}</code></td></tr>
`;
}

/** When its first platform was. */
function createdOf({ images }: TagFacts, snapshot: Snapshot): string | undefined {
  const manifest = images.find((image) => image.manifest !== undefined)?.manifest;
  return manifest && configOf(snapshot, manifest)?.created;
}

/** Of an image for several platforms, each client pulls one. */
export function sizeRange({ images }: TagFacts): string {
  const sizes = images.flatMap(({ size }) => size ?? []);
  if (sizes.length === 0) return "–";
  const [least, most] = [formatBytes(Math.min(...sizes)), formatBytes(Math.max(...sizes))];
  return least === most ? most : `${least} – ${most}`;
}
