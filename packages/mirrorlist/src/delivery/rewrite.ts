import type { Digest } from "@nearlayer/shared/digest";
import { elementsOf, type Member, membersOf, type Span, valueAt } from "./json-spans.ts";

/** The URLs of each layer, in the layers' order; undefined leaves a layer as it is. */
export type LayerUrls = readonly (readonly string[] | undefined)[];

interface Edit extends Span {
  readonly text: string;
}

/** What stands for a child in an index; undefined leaves it as it is. */
export type Children = readonly ({ readonly digest: Digest; readonly size: number } | undefined)[];

/**
 * The bytes of an image manifest with `urls` on its layers: the same text, but for those members. The same bytes and
 * URLs always make the same result; a variant is found again by its digest, so that this must never change.
 *
 * Undefined when the document could be read in two ways: keys that are written twice, or in another case (which Go
 * takes for the same), and a number of layers that is not that of the URLs.
 */
export function rewriteLayers(bytes: Uint8Array, layerUrls: LayerUrls): Uint8Array | undefined {
  return rewriteList(bytes, "layers", layerUrls, (text, layer, urls) => editLayer(text, layer, urls));
}

/** The bytes of an index with other children: the same text, but for their digests and sizes. As for `rewriteLayers`. */
export function rewriteChildren(bytes: Uint8Array, children: Children): Uint8Array | undefined {
  return rewriteList(bytes, "manifests", children, (text, entry, { digest, size }) => {
    const members = membersOf(text, entry.start);
    // The child's own bytes may stand in `data` (OCI image-spec, descriptor.md): they would be others then.
    if (members.some(({ key }) => fold(key) === "data")) return undefined;
    const [ownDigest, ownSize] = [onlyMember(members, "digest"), onlyMember(members, "size")];
    if (ownDigest === undefined || ownSize === undefined) return undefined;
    return [
      { ...ownDigest.value, text: JSON.stringify(digest) },
      { ...ownSize.value, text: String(size) },
    ].sort((a, b) => a.start - b.start);
  });
}

/** Edits the objects of the list of that name, one for each of `changes`; undefined when any of it is not as it should be. */
function rewriteList<Change>(
  bytes: Uint8Array,
  name: string,
  changes: readonly (Change | undefined)[],
  editsFor: (text: string, element: Span, change: Change) => readonly Edit[] | undefined,
): Uint8Array | undefined {
  const text = decode(bytes);
  if (text === undefined) return undefined;
  const list = onlyMember(membersOf(text, valueAt(text, 0).start), name);
  if (list === undefined || text[list.value.start] !== "[") return undefined;
  const elements = elementsOf(text, list.value.start);
  if (elements.length !== changes.length) return undefined;
  const edits: Edit[] = [];
  for (const [index, change] of changes.entries()) {
    if (change === undefined) continue;
    const element = elements[index];
    const own = element && text[element.start] === "{" ? editsFor(text, element, change) : undefined;
    if (own === undefined) return undefined;
    edits.push(...own);
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

function editLayer(text: string, layer: Span, urls: readonly string[]): readonly Edit[] | undefined {
  const members = membersOf(text, layer.start);
  const value = JSON.stringify(urls);
  if (members.some(({ key }) => fold(key) === "urls")) {
    const own = onlyMember(members, "urls");
    return own && [{ ...own.value, text: value }];
  }
  const last = members.at(-1);
  return last && [{ start: last.value.end, end: last.value.end, text: `,"urls":${value}` }];
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
