import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parseRepository } from "@nearlayer/shared/reference";
import { describe, expect, test } from "vitest";
import { AMD64 } from "../testing/mirrors.ts";
import { createRandom } from "../testing/random.ts";
import { makeIndexRecipe, makeRecipe, parseRecipe, urlsOf } from "./recipe.ts";
import { type Children, type LayerUrls, rewriteChildren, rewriteLayers } from "./rewrite.ts";

const rewriteText = (text: string, urls: LayerUrls) => {
  const bytes = rewriteLayers(new TextEncoder().encode(text), urls);
  return bytes && new TextDecoder().decode(bytes);
};

const rewriteIndex = (text: string, children: Children) => {
  const bytes = rewriteChildren(new TextEncoder().encode(text), children);
  return bytes && new TextDecoder().decode(bytes);
};

test("children get another digest and size, and every other byte stays", () => {
  const text = `{"digest":"mine","manifests":[{"size": 7 ,"x":{"digest":"inner","size":1},"digest" : "a"},{"digest":"b","size":2}]}\n`;
  const digest = digestOf("variant");
  const expected = text.replace(`"size": 7 `, `"size": 1234 `).replace(`"digest" : "a"`, `"digest" : "${digest}"`);
  expect(rewriteIndex(text, [{ digest, size: 1234 }, undefined])).toBe(expected);
});

test.each([
  ["two digests", '{"manifests":[{"digest":"a","digest":"b","size":1}]}'],
  ["a digest in another case", '{"manifests":[{"digest":"a","Digest":"b","size":1}]}'],
  ["no size", '{"manifests":[{"digest":"a"}]}'],
  ["the child's own bytes", '{"manifests":[{"digest":"a","size":1,"data":"e30="}]}'],
  ["the child's own bytes in another case", '{"manifests":[{"digest":"a","size":1,"DATA":"e30="}]}'],
  ["two lists", '{"manifests":[{"digest":"a","size":1}],"Manifests":[{"digest":"a","size":1}]}'],
  ["another number of children", '{"manifests":[]}'],
  ["a child that is no object", '{"manifests":["a"]}'],
])("an index with %s is not rewritten", (_, text) => {
  expect(rewriteIndex(text, [{ digest: digestOf("v"), size: 1 }])).toBeUndefined();
});

test("urls are put on the layers that have them, and every other byte stays", () => {
  const text = `{ "schemaVersion":2.0, "big": 12345678901234567890123, "x":"\\ud83d\\u0041 [}\\"",
    "config": {"urls":["stay"]},
    "layers": [ {"size": 1e3 , "digest":"a" }, {"digest":"b"}, {"urls": [ "old" ], "digest":"c"} ] }\n`;
  expect(rewriteText(text, [["http://m/1", "http://m/2"], undefined, ["new"]])).toBe(
    text.replace('"digest":"a" ', '"digest":"a","urls":["http://m/1","http://m/2"] ').replace('[ "old" ]', '["new"]'),
  );
});

test.each([
  ["not JSON", "{"],
  ["not an object", "[]"],
  ["no layers", '{"config":{}}'],
  ["layers twice", '{"layers":[{"a":1}],"layers":[{"a":1}]}'],
  ["layers in a case that Go takes too", '{"Layers":[{"a":1}],"layers":[{"a":1}]}'],
  ["layers with a long s", '{"layer\u017f":[{"a":1}],"layers":[{"a":1}]}'],
  ["an escaped twin", '{"layers":[{"a":1}],"\\u006cayers":[{"a":1}]}'],
  ["urls in another case", '{"layers":[{"a":1,"URLs":[]}]}'],
  ["urls twice", '{"layers":[{"urls":[],"urls":[]}]}'],
  ["a layer that is no object", '{"layers":["{}"]}'],
  ["an empty layer", '{"layers":[{}]}'],
  ["another number of layers", '{"layers":[{"a":1},{"a":2}]}'],
  ["layers that are no list", '{"layers":{"a":1}}'],
  ["a byte order mark", '\ufeff{"layers":[{"a":1}]}'],
])("%s is not rewritten", (_, text) => {
  expect(rewriteText(text, [["http://m/1"]])).toBeUndefined();
});

test("bytes that are not UTF-8 are not rewritten", () => {
  expect(rewriteLayers(Buffer.from('{"layers":[{"a":"\xff"}]}', "latin1"), [["u"]])).toBeUndefined();
});

describe("fuzz", () => {
  const next = createRandom(3);
  const strings = ["", "a", '"', "\\", "}{][,:", "\u0000", "é", "😀", "urls", "layers", "\u2028", "</script>"];
  const value = (depth: number): unknown => {
    switch (next(depth > 3 ? 5 : 7)) {
      case 0:
        return strings[next(strings.length)];
      case 1:
        return [null, true, false][next(3)];
      case 2:
        return next(1_000_000) - 500_000;
      case 3:
        return next(1000) / 7;
      case 4:
        return [];
      case 5:
        return Array.from({ length: next(4) }, () => value(depth + 1));
      default:
        return Object.fromEntries(
          Array.from({ length: next(4) }, (_, index) => [`${index}${strings[next(strings.length)]}`, value(depth + 1)]),
        );
    }
  };
  const space = () => ["", " ", "\n\t", "  "][next(4)] ?? "";
  /** The same document with whitespace where JSON allows it, and characters escaped that need not be. */
  const print = (item: unknown): string => {
    if (typeof item === "string") return JSON.stringify(item).replaceAll("a", next(2) ? "\\u0061" : "a");
    if (Array.isArray(item)) return `[${space()}${item.map((each) => print(each) + space()).join(`,${space()}`)}]`;
    if (typeof item !== "object" || item === null) return JSON.stringify(item);
    const members = Object.entries(item).map(
      ([key, each]) => `${JSON.stringify(key)}${space()}:${space()}${print(each)}`,
    );
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
  };
  const withoutUrls = (document: { layers: Record<string, unknown>[] }) => ({
    ...document,
    layers: document.layers.map(({ urls: _, ...layer }) => layer),
  });

  test("whatever the document, the rewritten one differs in urls alone, and has those that were asked for", () => {
    for (let round = 0; round < 3000; round++) {
      const layers = Array.from({ length: next(5) }, () => ({
        before: value(0),
        ...(next(3) === 0 ? { urls: value(2) } : {}),
        ...(next(2) ? { after: value(0) } : {}),
      }));
      const urls = layers.map((_, index) =>
        next(4) ? [`http://m/${index}`, strings[next(strings.length)] ?? ""] : undefined,
      );
      const text = space() + print({ first: value(0), layers, last: value(0) }) + space();
      const rewritten = rewriteText(text, urls);
      expect(rewritten).toBeDefined();
      const after = JSON.parse(rewritten ?? "");
      const before = JSON.parse(text);
      expect(withoutUrls(after)).toEqual(withoutUrls(before));
      for (const [index, list] of urls.entries()) {
        expect(after.layers[index].urls).toEqual(list ?? before.layers[index].urls);
      }
      expect(rewriteText(text, urls)).toBe(rewritten);
    }
  });

  test("whatever the index, the rewritten one differs in its children's digests and sizes alone", () => {
    for (let round = 0; round < 3000; round++) {
      const entries = Array.from({ length: next(5) }, (_, index) => {
        const members: [string, unknown][] = [
          ["before", value(0)],
          ["digest", digestOf(`${index}`)],
          ["size", next(1_000_000)],
          ["platform", value(1)],
          ["after", value(0)],
        ];
        return Object.fromEntries(members.sort(() => next(3) - 1));
      });
      const children = entries.map((_, index) =>
        next(3) ? { digest: digestOf(`variant ${index} ${round}`), size: next(1_000_000) } : undefined,
      );
      const text = space() + print({ digest: "own", size: 1, manifests: entries, last: value(0) }) + space();
      const rewritten = rewriteIndex(text, children);
      const expected = JSON.parse(text);
      for (const [index, child] of children.entries()) Object.assign(expected.manifests[index], child);
      expect(JSON.parse(rewritten ?? "null")).toEqual(expected);
      // Undone, it is the very same text.
      const undo = entries.map(
        ({ digest, size }, index) => children[index] && { digest: digest as Digest, size: Number(size) },
      );
      expect(rewriteIndex(rewritten ?? "", undo)).toBe(rewriteIndex(text, undo));
    }
  });
});

describe("recipes", () => {
  test("an index names variants for the children that have one, and is read back as it was", () => {
    const child = { digest: digestOf("v"), size: 7 };
    const recipe = makeIndexRecipe([undefined, child]);
    expect(recipe).toEqual({ version: 1, children: [null, child] });
    expect(parseRecipe(JSON.stringify(recipe))).toEqual(recipe);
    expect(makeIndexRecipe([undefined, undefined])).toBeUndefined();
  });

  const repository = parseRepository("fedora/app");
  const layer = (name: string, mediaType = "application/vnd.oci.image.layer.v1.tar+gzip") => ({
    mediaType,
    digest: digestOf(name),
    size: 1,
  });
  const foreign = layer("b", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
  const place = (name: string) => ({ url: `http://${name}/`, platform: AMD64 });

  test("three mirrors in order, then the mirror list itself; foreign and homeless layers are left alone", () => {
    const layers = [layer("a"), foreign, layer("c"), layer("d")];
    const recipe = makeRecipe(
      layers,
      ({ digest }) => (digest === digestOf("d") ? [] : ["m1", "m2", "m3", "m4"].map(place)),
      "https://registry.example.org",
      repository,
    );
    const urls =
      recipe &&
      urlsOf(
        recipe,
        layers.map(({ digest }) => digest),
      );
    const hex = digestOf("a").slice(7);
    expect(urls?.[0]).toEqual([
      ...["m1", "m2", "m3"].map((name) => `http://${name}/linux-amd64/blobs/sha256/${hex.slice(0, 2)}/${hex}`),
      `https://registry.example.org/v2/fedora/app/blobs/${digestOf("a")}?after=mirrors`,
    ]);
    expect([urls?.[1], urls?.[3]]).toEqual([undefined, undefined]);
    expect(urls?.[2]).toHaveLength(4);
    expect(parseRecipe(JSON.stringify(recipe))).toEqual(recipe);
  });

  test("without a mirror there is no recipe", () => {
    expect(makeRecipe([layer("a")], () => [], "https://r", repository)).toBeUndefined();
    expect(makeRecipe([foreign], () => [place("m1")], "https://r", repository)).toBeUndefined();
  });

  test.each([
    "",
    "null",
    "[]",
    "{}",
    '{"version":2,"own":"","places":[],"layers":[]}',
    '{"version":1,"own":"","places":[1],"layers":[]}',
    '{"version":1,"own":"","places":[],"layers":[["0"]]}',
    '{"version":1,"children":[{"digest":"sha256:x","size":1}]}',
    '{"version":2,"children":[]}',
  ])("%j is no recipe", (json) => {
    expect(parseRecipe(json)).toBeUndefined();
  });
});
