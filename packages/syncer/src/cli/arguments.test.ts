import { expect, test } from "vitest";
import { parseObject, parseSize, parseWanted } from "./arguments.ts";

const [A, B] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];

test.each([
  [["fedora/app"], { images: [{ repository: "fedora/app" }], blobs: [] }],
  [[`fedora/app@${A}`], { images: [{ repository: "fedora/app", digest: A }], blobs: [] }],
  [
    ["fedora/app", A, B],
    {
      images: [],
      blobs: [
        { repository: "fedora/app", digest: A },
        { repository: "fedora/app", digest: B },
      ],
    },
  ],
  [
    ["fedora/app:40", A, "fedora/web"],
    {
      images: [{ repository: "fedora/app", tag: "40" }, { repository: "fedora/web" }],
      blobs: [{ repository: "fedora/app", digest: A }],
    },
  ],
])("%j", (texts, wanted) => expect(parseWanted(texts)).toEqual(wanted));

test("a digest that stands alone is of no repository", () => {
  expect(() => parseWanted([A])).toThrow("of which repository?");
});

test.each([
  [["fedora/app:40", undefined], { repository: "fedora/app", tag: "40" }],
  [["fedora/app", "40"], { repository: "fedora/app", tag: "40" }],
  [["fedora/app", A], { repository: "fedora/app", digest: A }],
] as const)("an object %j", ([text, object], reference) => expect(parseObject(text, object)).toEqual(reference));

test.each(["", "-1", "1k", "99999999999999"])("%j is no size", (text) => expect(() => parseSize(text)).toThrow());
