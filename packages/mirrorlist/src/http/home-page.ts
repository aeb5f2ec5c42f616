import type { Attribution } from "../geo/geo.ts";
import type { MirrorDescription, PlatformDescription } from "../mirrors/describe.ts";
import type { Snapshot } from "../served/snapshot.ts";
import { type Html, html } from "./html.ts";

const STYLE = `body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top}
code{background:#f2f2f2;padding:.1rem .3rem}footer{margin-top:2rem;color:#666;font-size:.9rem}`;

/** The page at `/`: what this is, its mirrors, and whose data it shows. */
export function homePage(
  mirrors: readonly MirrorDescription[],
  { repositoryNames, manifests, blobs }: Snapshot,
  attributions: readonly Attribution[],
): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Nearlayer</title><style>${raw(STYLE)}</style></head>
<body>
<h1>Nearlayer</h1>
<p>A container registry whose layers come from a mirror near you. Pull from this host as from any registry:
<code>docker pull HOST/REPOSITORY:TAG</code>. Every layer is checked by its digest, wherever it comes from.</p>
<p>${repositoryNames.length} repositories, ${manifests.size} manifests, ${blobs.size} blobs.
<a href="/v2/_catalog">All repositories</a> · <a href="/mirrors.json">mirrors as JSON</a> ·
why a mirror: <code>/explain?image=REPOSITORY:TAG&amp;ip=ADDRESS</code></p>
<h2>Mirrors</h2>
${mirrors.length === 0 ? html`<p>None yet: every layer comes from here.</p>` : mirrorTable(mirrors)}
<footer>${attributions.map(({ text, url }) => html`<p><a href="${url}">${text}</a></p>`)}</footer>
</body>
</html>
`.text;
}

function mirrorTable(mirrors: readonly MirrorDescription[]): Html {
  return html`<table><thead><tr><th>Mirror</th><th>Country</th><th>Mbit/s</th><th>Platforms</th></tr></thead><tbody>
${mirrors.map(
  (mirror) => html`<tr><td>${nameOf(mirror)}</td><td>${mirror.country}</td><td>${mirror.bandwidth}</td>
<td>${mirror.disabled ? "disabled" : mirror.platforms.map(platformLine)}</td></tr>
`,
)}</tbody></table>`;
}

function nameOf({ name, url, private: isPrivate }: MirrorDescription): Html {
  if (url !== undefined) return html`<a href="${url}">${name}</a>`;
  return isPrivate ? html`${name} (private)` : html`${name}`;
}

function platformLine({ platform, state, behind = 0, failure }: PlatformDescription): Html {
  const detail = failure ?? (behind > 0 ? `${behind} generations` : "");
  return html`<div>${platform}: ${state}${detail === "" ? "" : ` (${detail})`}</div>`;
}

const raw = (text: string): Html => html([text] as unknown as TemplateStringsArray);
