import { expect, test } from "vitest";
import { nextLink, pageOf, parsePage } from "./paging.ts";

const SORTED = ["B", "a", "a-1", "b"];
const ask = (query: string) => {
  const page = parsePage(new URLSearchParams(query));
  return page.kind === "page" ? pageOf(SORTED, page) : page;
};

test.each([
  ["", { names: SORTED }],
  ["n=0", { names: [] }],
  ["n=2", { names: ["B", "a"], next: "a" }],
  ["n=2&last=a", { names: ["a-1", "b"] }],
  ["n=4", { names: SORTED }],
  ["n=99999999999999999999", { names: SORTED }],
  ["last=aaa", { names: ["b"] }],
  ["last=zzz", { names: [] }],
  ["n=-1", { kind: "error", status: 400, code: "PAGINATION_NUMBER_INVALID" }],
  ["n=1e3", { kind: "error", status: 400 }],
])("?%s", (query, page) => {
  expect(ask(query)).toMatchObject(page);
  if (!("next" in page)) expect(ask(query)).not.toHaveProperty("next");
});

test("following the links visits every name once", () => {
  const names = Array.from({ length: 100 }, (_, index) => `t${index}`).sort();
  const seen: string[] = [];
  for (let last: string | undefined = ""; last !== undefined; ) {
    const page = pageOf(names, { kind: "page", n: 7, last });
    seen.push(...page.names);
    last = page.next;
  }
  expect(seen).toEqual(names);
});

test("a link encodes what it carries", () => {
  expect(nextLink("/v2/_catalog", 2, "a/b")).toBe('</v2/_catalog?n=2&last=a%2Fb>; rel="next"');
});
