import { type Html, html } from "../html.ts";
import { formatCount } from "./format.ts";
import { hrefOf } from "./links.ts";

/** A part of a list that is shown at a time. */
export interface Paged<T> {
  readonly items: readonly T[];
  /** From 1 on. */
  readonly page: number;
  readonly pages: number;
  readonly total: number;
}

/** The page that `text` asks for, or the nearest that there is. */
export function pageAt<T>(all: readonly T[], text: string | null, size: number): Paged<T> {
  const pages = Math.max(1, Math.ceil(all.length / size));
  const asked = /^\d{1,9}$/.test(text ?? "") ? Number(text) : 1;
  const page = Math.min(Math.max(1, asked), pages);
  return { items: all.slice((page - 1) * size, page * size), page, pages, total: all.length };
}

/** Links to the pages beside this one, the first and the last; nothing where there is one page alone. */
export function pageLinks(
  { page, pages }: Paged<unknown>,
  path: string,
  query: Readonly<Record<string, string>>,
): Html {
  if (pages === 1) return html``;
  const numbers = [1, page - 2, page - 1, page, page + 1, page + 2, pages].filter((n) => n >= 1 && n <= pages);
  const shown = [...new Set(numbers)].sort((a, b) => a - b);
  const link = (to: number, name: string, rel?: string) =>
    html`<a href="${hrefOf(path, { ...query, page: String(to) })}"${rel !== undefined && html` rel="${rel}"`}>${name}</a>`;
  return html`<nav class="pages" aria-label="Pages"><ul>
${page > 1 && html`<li>${link(page - 1, "Previous", "prev")}</li>`}${shown.map((number, index) => {
  const isGap = index > 0 && number - (shown[index - 1] ?? 0) > 1;
  const name = formatCount(number);
  return html`${isGap && html`<li>…</li>`}<li>${number === page ? html`<span aria-current="page">${name}</span>` : link(number, name)}</li>`;
})}${page < pages && html`<li>${link(page + 1, "Next", "next")}</li>`}
</ul></nav>`;
}
