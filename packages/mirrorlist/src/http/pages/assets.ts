import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { html } from "../html.ts";

/** What pages need beside themselves. Its path changes with its content, so that it is fetched once. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly content: Buffer;
}

function asset(name: string, ending: string, type: string, content: Buffer): Asset {
  const version = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return { path: `/assets/${name}-${version}.${ending}`, type, content };
}

const style = asset("style", "css", "text/css; charset=utf-8", readFileSync(new URL("style.css", import.meta.url)));

const favicon = asset(
  "favicon",
  "svg",
  "image/svg+xml",
  Buffer.from(
    html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#0b7a75" d="M16 3 30 10 16 17 2 10Z"/><path fill="#e69f00" d="m2 16 14 7 14-7-4-2-10 5-10-5Z"/><path fill="#56b4e9" d="m2 22 14 7 14-7-4-2-10 5-10-5Z"/></svg>`
      .text,
  ),
);

export const STYLE_PATH = style.path;
export const FAVICON_PATH = favicon.path;
/** Browsers ask for it by themselves where no page names another. */
export const FAVICON_ICO: Asset = { ...favicon, path: "/favicon.ico" };

export const ASSETS: readonly Asset[] = [style, favicon];

/** The registry's own API, and what is computed for whoever asks, are of no use to search engines. */
export const ROBOTS = `User-agent: *
Disallow: /v2/
Disallow: /explain
Disallow: /api/
Disallow: /metrics
`;
