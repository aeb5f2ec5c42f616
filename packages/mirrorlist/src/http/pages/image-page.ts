import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { ImageManifest } from "@nearlayer/shared/manifest";
import type { Reference } from "@nearlayer/shared/reference";
import type { ServedManifest, ServedRepository, Snapshot } from "../../served/snapshot.ts";
import { type Html, html } from "../html.ts";
import type { Carriers } from "./carriers.ts";
import { commandList, type RegistryName } from "./commands.ts";
import { clip, formatBytes, formatCount, moment, plural, shortDigest } from "./format.ts";
import { configOf, factsOf, type ImageFacts, pairs, type ShownConfig } from "./image-facts.ts";
import type { Page } from "./layout.ts";
import { hrefOf, imagePath } from "./links.ts";
import { attachedTo, isSignature } from "./referrers.ts";
import { sizeRange } from "./repository-page.ts";

/** What a page about one image is made from. */
export interface ImageSources {
  readonly snapshot: Snapshot;
  readonly repository: ServedRepository;
  readonly registry: RegistryName;
  readonly carriers: Carriers;
  readonly now: number;
}

/** The most layers of one platform that are shown. */
const MAX_LAYERS = 130;

/** Cost: the image's manifests are parsed, 24 platforms at most, and for each generation in it the mirrors are counted. */
export function imagePage(reference: Reference, served: ServedManifest, sources: ImageSources): Page {
  const { snapshot, repository, registry, now } = sources;
  const name = reference.repository;
  const text = reference.digest === undefined ? `:${reference.tag}` : `@${reference.digest}`;
  const facts = factsOf(snapshot, repository, served);
  const attached = attachedTo(snapshot, repository, served);
  // The platforms of an image are configured alike, as a rule: the first stands for all, and is named.
  const first = facts.images.find(({ manifest }) => manifest !== undefined);
  const config = first?.manifest && configOf(snapshot, first.manifest);
  const label = reference.digest === undefined ? (reference.tag ?? "") : shortDigest(reference.digest);
  const main = html`<nav class="crumbs" aria-label="Breadcrumb"><a href="/">Repositories</a> / <a href="${imagePath(name)}">${name}</a></nav>
<h1 class="name">${name}<wbr><span class="tag">${reference.digest === undefined ? ":" : "@"}${label}</span></h1>
<dl class="facts">
<div><dt>Digest</dt><dd><code class="breaks">${served.digest}</code></dd></div>
<div><dt>Size</dt><dd>${sizeRange(facts)}</dd></div>
${config?.created !== undefined && html`<div><dt>Created</dt><dd>${moment(config.created, now)}</dd></div>`}
<div><dt>Signed</dt><dd>${attached.some(isSignature) ? html`signature present (<a href="#attached">${plural(attached.length, "attachment")}</a>)` : "no signature here"}</dd></div>
<div><dt>Type</dt><dd>${facts.isIndex ? "index" : "image"} <span class="quiet">${served.mediaType}</span></dd></div>
</dl>
<h2>Pull</h2>
${commandList(registry, `${name}${text}`)}
<p><a href="${hrefOf("/explain", { image: `${name}${text}` })}">Which mirror would I get, and why?</a></p>
<h2>${facts.isIndex ? plural(facts.images.length + facts.omitted, "platform") : "Layers"}</h2>
${facts.images.map((image, index) => platformPart(name, image, facts.isIndex, index === 0, sources))}
${facts.omitted > 0 && html`<p>And ${plural(facts.omitted, "more platform")}.</p>`}
${facts.attestations > 0 && html`<p>The index also holds ${plural(facts.attestations, "attestation")}.</p>`}
${config !== undefined && configPart(config, facts.isIndex ? first?.platform : undefined)}
${pairTable("Annotations", pairs(served.annotations ?? first?.manifest?.annotations ?? {}))}
${attached.length > 0 && attachedPart(name, attached)}`;
  return { title: `${name}${text} · Nearlayer`, main, section: "repositories", hasCommands: true };
}

function platformPart(
  name: string,
  image: ImageFacts,
  isOfIndex: boolean,
  isOpen: boolean,
  sources: ImageSources,
): Html {
  const { platform, manifest, size, digest } = image;
  if (manifest === undefined) {
    return html`<p>${platform}: <code class="breaks">${digest}</code> ${isOfIndex ? "is not carried here." : "is too large to be shown."}</p>`;
  }
  const table = layerTable(manifest, sources);
  if (!isOfIndex) return table;
  const facts = [plural(manifest.layers.length, "layer"), size === undefined ? "" : formatBytes(size)].filter(Boolean);
  return html`<details${isOpen && html` open`}><summary><span class="platform">${platform === "" ? "no platform" : platform}</span> <span class="quiet">${facts.join(", ")}</span></summary>
<p><a href="${imagePath(`${name}@${digest}`)}"><code class="breaks">${digest}</code></a></p>
${table}</details>
`;
}

function layerTable({ layers }: ImageManifest, { snapshot, carriers }: ImageSources): Html {
  if (layers.length === 0) return html`<p>No layers.</p>`;
  const row = ({ digest, size, urls }: Descriptor, index: number) => {
    const blob = snapshot.blobs.get(digest);
    const carried = blob === undefined ? 0 : carriers.count(blob.placements);
    const where =
      urls?.length && blob === undefined ? "elsewhere" : `${formatCount(carried)} of ${formatCount(carriers.total)}`;
    return html`<tr><td class="number">${index + 1}</td><td><code class="digest" title="${digest}">${digest}</code></td><td class="number">${formatBytes(size)}</td><td class="number">${where}</td></tr>
`;
  };
  return html`<div class="scroll" role="region" aria-label="Layers" tabindex="0"><table><thead><tr><th scope="col" class="number">#</th><th scope="col">Layer</th><th scope="col" class="number">Size</th><th scope="col" class="number">On mirrors</th></tr></thead>
<tbody>${layers.slice(0, MAX_LAYERS).map(row)}</tbody></table></div>
${layers.length > MAX_LAYERS && html`<p>And ${plural(layers.length - MAX_LAYERS, "more layer")}.</p>`}`;
}

function configPart(config: ShownConfig, platform: string | undefined): Html {
  const { command, user, ports, labels } = config;
  const facts = [
    ["Runs", command],
    ["As", user],
    ["Ports", ports.join(", ")],
  ] as const;
  const shown = facts.filter(([, value]) => value !== undefined && value !== "");
  const of = platform === undefined || platform === "" ? "" : ` of ${platform}`;
  return html`${
    shown.length > 0 &&
    html`<h2>Configuration${of}</h2>
<dl class="facts">${shown.map(([key, value]) => html`<div><dt>${key}</dt><dd><code class="breaks">${clip(value ?? "", 500)}</code></dd></div>`)}</dl>`
  }
${pairTable(`Labels${of}`, labels)}`;
}

function pairTable(title: string, all: readonly (readonly [string, string])[]): Html {
  if (all.length === 0) return html``;
  return html`<h2>${title}</h2>
<table class="stacked pairs"><thead><tr><th scope="col">Name</th><th scope="col">Value</th></tr></thead><tbody>${all.map(
    ([key, value]) =>
      html`<tr><th scope="row">${clip(key, 200)}</th><td data-label="Value" class="long">${clip(value, 500)}</td></tr>\n`,
  )}</tbody></table>`;
}

function attachedPart(name: string, attached: ReturnType<typeof attachedTo>): Html {
  return html`<h2 id="attached">Attached to it</h2>
<p class="quiet">Whether a signature is good is for the client to check.</p>
<table class="stacked"><thead><tr><th scope="col">Type</th><th scope="col">Digest</th><th scope="col">Annotations</th></tr></thead><tbody>${attached.map(
    ({ digest, kind, annotations }) =>
      html`<tr><th scope="row">${clip(kind, 120)}</th><td data-label="Digest"><a href="${imagePath(`${name}@${digest}`)}"><code title="${digest}">${shortDigest(digest)}</code></a></td><td data-label="Annotations" class="long">${pairs(annotations).map(([key, value]) => html`<div>${clip(key, 100)}: ${clip(value, 200)}</div>`)}</td></tr>\n`,
  )}</tbody></table>`;
}
