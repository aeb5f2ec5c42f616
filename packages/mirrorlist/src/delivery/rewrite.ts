import { elementsOf, type Member, membersOf, type Span, valueAt } from "./json-spans.ts";

/** The URLs of each layer, in the layers' order; undefined leaves a layer as it is. */
export type LayerUrls = readonly (readonly string[] | undefined)[];

interface Edit extends Span {
  readonly text: string;
}

/**
 * The bytes of an image manifest with `urls` on its layers: the same text, but for those members. The same bytes and
 * URLs always make the same result; a variant is found again by its digest, so that this must never change.
 *
 * Undefined when the document could be read in two ways: keys that are written twice, or in another case (which Go
 * takes for the same), and a number of layers that is not that of the URLs.
 */
export function rewriteLayers(bytes: Uint8Array, layerUrls: LayerUrls): Uint8Array | undefined {
  const text = decode(bytes);
  if (text === undefined) return undefined;
  const layers = onlyMember(membersOf(text, valueAt(text, 0).start), "layers");
  if (layers === undefined || text[layers.value.start] !== "[") return undefined;
  const elements = elementsOf(text, layers.value.start);
  if (elements.length !== layerUrls.length) return undefined;
  const edits: Edit[] = [];
  for (const [index, urls] of layerUrls.entries()) {
    if (urls === undefined) continue;
    const edit = editLayer(text, elements[index], urls);
    if (edit === undefined) return undefined;
    edits.push(edit);
  }
  return new TextEncoder().encode(apply(text, edits));
}

/** The text of a JSON object, or undefined. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null && !Array.isArray(document) ? text : undefined;
  } catch {
    return undefined;
  }
}

function editLayer(text: string, layer: Span | undefined, urls: readonly string[]): Edit | undefined {
  if (layer === undefined || text[layer.start] !== "{") return undefined;
  const members = membersOf(text, layer.start);
  const value = JSON.stringify(urls);
  if (members.some(({ key }) => fold(key) === "urls")) {
    const own = onlyMember(members, "urls");
    return own && { ...own.value, text: value };
  }
  const last = members.at(-1);
  return last && { start: last.value.end, end: last.value.end, text: `,"urls":${value}` };
}

/** The member of that name, if there is exactly one and no other that Go would take for it. */
function onlyMember(members: readonly Member[], name: string): Member | undefined {
  const alike = members.filter(({ key }) => fold(key) === name);
  return alike.length === 1 && alike[0]?.key === name ? alike[0] : undefined;
}

/** As encoding/json compares keys: `ſ` is an `S`, and the Kelvin sign a `K`. */
const fold = (key: string) => key.toUpperCase().toLowerCase();

function apply(text: string, edits: readonly Edit[]): string {
  let result = "";
  let at = 0;
  for (const edit of edits) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}
