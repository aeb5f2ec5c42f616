import type { Attribution } from "../../geo/geo.ts";
import { type Html, html } from "../html.ts";
import { FAVICON_PATH, STYLE_PATH } from "./assets.ts";
import { COPY_SCRIPT } from "./script.ts";

/** A page before it is put into the frame that all share. */
export interface Page {
  readonly status?: number;
  readonly title: string;
  readonly main: Html;
  /** Where in the navigation it is. */
  readonly section?: "repositories" | "mirrors" | "explain";
  /** What could not be had, one sentence each. */
  readonly notices?: readonly string[];
  /** The page has a search of its own. */
  readonly hasSearch?: boolean;
  /** Search engines should leave it alone. */
  readonly isPassing?: boolean;
  /** Has something to copy, for which a button is added where there is JavaScript. */
  readonly hasCommands?: boolean;
}

const SECTIONS = [
  { section: "repositories", href: "/", name: "Repositories" },
  { section: "mirrors", href: "/mirrors", name: "Mirrors" },
  { section: "explain", href: "/explain", name: "Explain" },
] as const;

/** The whole document. */
export function renderPage(page: Page, attributions: readonly Attribution[]): string {
  const { title, main, section, notices = [], hasSearch = false, isPassing = false, hasCommands = false } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${isPassing && html`<meta name="robots" content="noindex">\n`}<title>${title}</title>
<link rel="stylesheet" href="${STYLE_PATH}">
<link rel="icon" type="image/svg+xml" href="${FAVICON_PATH}">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><div class="wide">
<a class="brand" href="/"><svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><path class="l1" d="M16 3 30 10 16 17 2 10Z"/><path class="l2" d="m2 16 14 7 14-7-4-2-10 5-10-5Z"/><path class="l3" d="m2 22 14 7 14-7-4-2-10 5-10-5Z"/></svg>Nearlayer</a>
<nav aria-label="Main"><ul>${SECTIONS.map(
    ({ section: one, href, name }) =>
      html`<li><a href="${href}"${one === section && html` aria-current="page"`}>${name}</a></li>`,
  )}</ul></nav>
${!hasSearch && searchForm("")}
</div></header>
<main id="main" class="wide" tabindex="-1">
${notices.map((notice) => html`<p class="notice" role="status">${notice}</p>\n`)}${main}
</main>
<footer><div class="wide">
<p>Every layer is checked by its digest by the client that pulls it, wherever it comes from.</p>
<p><a href="/mirrors.json">Mirrors as JSON</a> · <a href="/mirrors.txt">host names for firewalls</a> ·
<a href="/v2/_catalog">catalog</a>${attributions.map(({ text, url }) => html` · <a href="${url}">${text}</a>`)}</p>
</div></footer>
${hasCommands && COPY_SCRIPT}</body>
</html>
`.text;
}

/** The search for repositories; the browser's own labels and keys do. */
export function searchForm(query: string, placeholder = "Search repositories"): Html {
  return html`<form class="search" role="search" action="/" method="get">
<input type="search" name="q" value="${query}" placeholder="${placeholder}" aria-label="Search repositories" maxlength="200" autocomplete="off" spellcheck="false" autocapitalize="none">
<button>Search</button></form>`;
}
