/** A piece of HTML (or SVG) that is safe to put into a page as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text and numbers, which are escaped, HTML, lists of these, and nothing, which leaves no trace. */
export type Part = string | number | Html | readonly Part[] | undefined | false;

/**
 * A template whose values are escaped, unless they are HTML themselves. Values belong between tags and into attributes
 * in double quotes; a URL of somebody else's goes through `webUrl` first.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  let text = strings[0] ?? "";
  for (const [index, value] of values.entries()) text += render(value) + (strings[index + 1] ?? "");
  return new Html(text);
}

function render(part: Part): string {
  if (part === undefined || part === false) return "";
  if (typeof part === "string") return escapeText(part);
  if (part instanceof Html) return part.text;
  return typeof part === "number" ? String(part) : part.map(render).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** What no document may hold: XML's parsers stop at it, and in a terminal or an editor it is a trick. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

const escapeText = (text: string) =>
  text.replace(UNPRINTABLE, "\ufffd").replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

/** A URL that a link may lead to; undefined for `javascript:` and whatever else is not of the web. */
export function webUrl(text: string | undefined): string | undefined {
  const url = text !== undefined && text.length <= 2048 ? URL.parse(text) : null;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url.href : undefined;
}
