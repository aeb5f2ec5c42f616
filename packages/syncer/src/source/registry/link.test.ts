import { expect, test } from "vitest";
import { nextPage } from "./link.ts";

const page = new URL("https://registry.example.org/v2/fedora/app/tags/list?n=2");

test.each([
  [undefined, undefined],
  ["", undefined],
  [
    '</v2/fedora/app/tags/list?n=2&last=b>; rel="next"',
    "https://registry.example.org/v2/fedora/app/tags/list?n=2&last=b",
  ],
  ["</v2/_catalog?last=b>;rel=next", "https://registry.example.org/v2/_catalog?last=b"],
  ['<?n=2&last=b>; rel="next"', "https://registry.example.org/v2/fedora/app/tags/list?n=2&last=b"],
  ['<list?last=b>; title="x"; rel="next"', "https://registry.example.org/v2/fedora/app/tags/list?last=b"],
  ['<https://registry.example.org/v2/_catalog?last=b>; rel="next"', "https://registry.example.org/v2/_catalog?last=b"],
  ['<http://inner:5000/v2/_catalog?last=b>; rel="next"', "https://registry.example.org/v2/_catalog?last=b"],
  ['</v2/a>; rel="prev", </v2/b>; rel="next"', "https://registry.example.org/v2/b"],
  ['</v2/a>; rel="prev"', undefined],
  ['<http://[>; rel="next"', undefined],
])("%j leads to %j", (header, expected) => {
  expect(nextPage(header, page)?.href).toBe(expected);
});
