import { expect, test } from "vitest";
import { html, webUrl } from "./html.ts";

test("what goes into a page is escaped, and HTML stays what it is", () => {
  expect(html`<a href="${'"><script>'}">${[html`<b>${"&"}</b>`, "<i>"]}${"'"}${7}</a>`.text).toBe(
    '<a href="&quot;&gt;&lt;script&gt;"><b>&amp;</b>&lt;i&gt;&#39;7</a>',
  );
});

test("what is not there leaves no trace", () => {
  expect(html`<p>${undefined}${false}${[]}${""}</p>`.text).toBe("<p></p>");
});

test("characters that cannot be seen, or turn text around, are shown as such", () => {
  expect(html`${"a\u0000b\u202ec\u0085\nd"}`.text).toBe("a\ufffdb\ufffdc\ufffd\nd");
});

test.each([
  ["https://example.org/a b", "https://example.org/a%20b"],
  ["http://example.org", "http://example.org/"],
  ["javascript:alert(1)", undefined],
  ["JaVaScRiPt:alert(1)", undefined],
  ["data:text/html,x", undefined],
  ["//example.org/", undefined],
  ["", undefined],
  [undefined, undefined],
])("a link may lead to %s: %s", (text, url) => {
  expect(webUrl(text)).toBe(url);
});
