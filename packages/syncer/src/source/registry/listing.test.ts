import { isTag } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import { collectNames, PAGE_SIZE, type Page } from "./listing.ts";

const first = new URL("https://registry.example.org/v2/app/tags/list?n=1000");

/** A registry that answers these pages and no other. */
function collect(pages: Record<string, Page>) {
  return collectNames(first, "tags", isTag, async ({ href }) => {
    const page = pages[href.replace("https://registry.example.org/v2/", "")];
    if (page === undefined) throw new Error(`asked for ${href}`);
    return page;
  });
}
const page = (tags: unknown, link?: string): Page => ({ document: { name: "app", tags }, link });
const start = "app/tags/list?n=1000";

test("pages are followed to the last, relative and absolute", async () => {
  const tags = await collect({
    [start]: page(["c", "a"], '</v2/app/tags/list?last=c>; rel="next"'),
    "app/tags/list?last=c": page(["b"], '<https://registry.example.org/v2/app/tags/list?last=b>; rel="next"'),
    "app/tags/list?last=b": page(["d", "not a tag"]),
  });
  expect(tags).toEqual(["a", "b", "c", "d"]);
});

test("a repository without tags is an empty listing", async () => {
  await expect(collect({ [start]: page(null) })).resolves.toEqual([]);
});

test("a full page without a link is asked what comes after it", async () => {
  const full = Array.from({ length: PAGE_SIZE }, (_, index) => `t${index}`);
  const tags = await collect({ [start]: page(full), [`${start}&last=t999`]: page(["z"]) });
  expect(tags).toHaveLength(PAGE_SIZE + 1);
});

test("a registry without paging, with just as many names, ends", async () => {
  const full = Array.from({ length: PAGE_SIZE }, (_, index) => `t${index}`);
  await expect(collect({ [start]: page(full), [`${start}&last=t999`]: page(full) })).resolves.toHaveLength(PAGE_SIZE);
});

test.each([
  ["pages in a circle", { [start]: page(["a"], `</v2/${start}>; rel="next"`) }, "do not end"],
  ["an error document", { [start]: { document: { errors: [] }, link: undefined } }, "not a listing"],
  ["tags that are no names", { [start]: page([1, 2]) }, "not a listing"],
  ["a page that cannot be had", { [start]: page(["a"], '</v2/gone>; rel="next"') }, "asked for"],
])("%s: no listing at all", async (_, pages, message) => {
  await expect(collect(pages)).rejects.toThrow(message);
});
