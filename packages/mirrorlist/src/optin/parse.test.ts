import { formatProblem } from "@nearlayer/shared/config/yaml";
import { describe, expect, test } from "vitest";
import { parseOptIn, parseOptInJson } from "./parse.ts";

const RULES = { allowPrivateAddress: false, ownHost: "registry.example.org" };
const TOKEN = "0123456789abcdef".repeat(4);

const FULL = `
name: example-jp            # how it is called
url: http://Mirror.example.net/pub
country: JP
bandwidth: 1000
platforms: [linux-amd64, linux-arm64]
contact: admin@example.net
asn: 2497
netblocks:
  - 133.1.0.0/16
private: false
latitude: 35.6
longitude: 139.7
countries: [JP, KR]
families: [ipv4]
rsync: rsync://mirror.example.net/containers
token: ${TOKEN}
`;

/** What is wrong with a text, as people read it. */
function problems(text: string): string[] {
  const parsed = parseOptIn(text, RULES);
  return parsed.ok ? [] : parsed.problems.map((problem) => formatProblem("mirror.yaml", problem));
}

test("a file with everything is read, and its URL is written as every other", () => {
  const parsed = parseOptIn(FULL, RULES);
  expect(parsed).toEqual({
    ok: true,
    data: {
      kind: "opt-in",
      token: TOKEN,
      declared: {
        name: "example-jp",
        url: "http://mirror.example.net/pub/",
        country: "JP",
        bandwidth: 1000,
        platforms: ["linux-amd64", "linux-arm64"],
        contact: "admin@example.net",
        asn: 2497,
        netblocks: ["133.1.0.0/16"],
        private: false,
        latitude: 35.6,
        longitude: 139.7,
        countries: ["JP", "KR"],
        families: ["ipv4"],
        rsync: "rsync://mirror.example.net/containers/",
        allowPrivateAddress: false,
        disabled: false,
      },
    },
  });
});

test("three lines will do", () => {
  const parsed = parseOptIn("name: m\nurl: https://m.example.net/\ncountry: DE\n", RULES);
  expect(parsed).toMatchObject({ ok: true, data: { kind: "opt-in", declared: { bandwidth: 100, netblocks: [] } } });
});

test("in a closed network, what a mirror declares allows private addresses", () => {
  const parsed = parseOptIn(FULL, { ...RULES, allowPrivateAddress: true });
  expect(parsed).toMatchObject({ ok: true, data: { declared: { allowPrivateAddress: true } } });
});

test("who leaves says so, with the whole file or with little of it", () => {
  const wanted = { ok: true, data: { kind: "opt-out", name: "example-jp", token: TOKEN } };
  expect(parseOptIn(`${FULL}optOut: true\n`, RULES)).toEqual(wanted);
  expect(parseOptIn(`name: example-jp\ntoken: ${TOKEN}\noptOut: true\n`, RULES)).toEqual(wanted);
  expect(parseOptIn(`${FULL}optOut: false\n`, RULES)).toMatchObject({ ok: true, data: { kind: "opt-in" } });
});

describe("what is wrong is named with line, key and reason", () => {
  const base = "name: m\nurl: https://m.example.net/\ncountry: DE\n";
  test.each([
    [`${base}alowPrivateAddress: true\n`, ["mirror.yaml:4: alowPrivateAddress: unknown key"]],
    [`${base}allowPrivateAddress: true\n`, ["mirror.yaml:4: allowPrivateAddress: unknown key"]],
    [`${base}disabled: true\n`, ["mirror.yaml:4: disabled: unknown key"]],
    [`${base}netblocks: [133.1.0.0/16, 133.0.0.0/8]\n`, [/^mirror.yaml:4: netblocks\[1\]: larger/]],
    [`${base}netblocks: [nonsense]\n`, [/^mirror.yaml:4: netblocks\[0\]: not a netblock/]],
    [`${base}asn: 64512\n`, [/^mirror.yaml:4: asn: AS64512 is nobody's/]],
    [`${base}asn: -1\n`, [/^mirror.yaml:4: asn: /]],
    [`${base}asn: AS2497\n`, [/^mirror.yaml:4: asn: /]],
    [`${base}bandwidth: fast\n`, [/^mirror.yaml:4: bandwidth: /]],
    [`${base}platforms: [windows/amd64]\n`, [/^mirror.yaml:4: platforms\[0\]: not a platform/]],
    [`${base}rsync: rsync://other.example.net/m/\n`, ["mirror.yaml:4: rsync: at another host than url"]],
    [`${base}rsync: rsync://user@m.example.net/m/\n`, [/^mirror.yaml:4: rsync: not a module/]],
    [`${base}rsync: m.example.net::m/\n`, [/^mirror.yaml:4: rsync: not a module/]],
    [`${base}token: ABC\n`, [/^mirror.yaml:4: token: not a token/]],
    [`${base}private: true\n`, [/^mirror.yaml:4: private: private to no netblocks/]],
    [`${base}latitude: 3\n`, [/^mirror.yaml:4: latitude: latitude and longitude/]],
    [`${base}contact: "a\\nb"\n`, [/^mirror.yaml:4: contact: control characters/]],
    ["name: m\nurl: ftp://m.example.net/\ncountry: DE\n", [/^mirror.yaml:2: url: not an http or https URL/]],
    ["name: m\nurl: http://a:b@m.example.net/\ncountry: DE\n", [/^mirror.yaml:2: url: a URL without user/]],
    ["name: m\nurl: http://127.0.0.1/\ncountry: DE\n", [/^mirror.yaml:2: url: a private/]],
    ["name: ../m\nurl: http://m.example.net/\ncountry: DE\n", [/^mirror.yaml:1: name: lower-case/]],
    ["name: origin\nurl: http://m.example.net/\ncountry: DE\n", [/^mirror.yaml:1: name: a name that is taken/]],
    ["name: m\nurl: http://m.example.net/\ncountry: Germany\n", [/^mirror.yaml:3: country: not a country/]],
    ["name: m\n", [/url/, /country/]],
    ["optOut: true\n", [/name/]],
    ["- a list\n", [/^mirror.yaml: /]],
    ["a: [\n", [/^mirror.yaml:2:1: not YAML/]],
    ["a: &x 1\nb: *x\n", [/not YAML that can be read: Alias resolution is disabled/]],
    ["", [/name/, /url/, /country/]],
    ["name: m\nname: n\n", [/^mirror.yaml:2:1: not YAML: Map keys must be unique/]],
  ])("%j", (text, expected) => {
    expect(problems(text)).toEqual(expected.map((one) => (typeof one === "string" ? one : expect.stringMatching(one))));
  });
});

test("JSON says the same", () => {
  const declared = { name: "m", url: "https://m.example.net/", country: "DE", token: TOKEN };
  expect(parseOptInJson(JSON.stringify(declared), RULES)).toEqual(parseOptIn(JSON.stringify(declared), RULES));
  expect(parseOptInJson('{"name": "m"', RULES)).toEqual({ ok: false, problems: [{ key: "", reason: "not JSON" }] });
  const wrong = parseOptInJson(JSON.stringify({ ...declared, __proto__: null, asn: 0 }), RULES);
  expect(wrong).toMatchObject({ ok: false, problems: [{ key: "asn" }] });
});

test("as many as there may be of each list, in blocks or in brackets", () => {
  const base = "name: m\nurl: https://m.example.net/\ncountry: DE\n";
  const countries = Array.from({ length: 250 }, (_, n) => String.fromCharCode(65 + (n % 26), 65 + Math.floor(n / 26)));
  const netblocks = Array.from({ length: 32 }, (_, n) => `2001:200:${n.toString(16)}:1:2:3:4:5/128`);
  const block = (list: readonly string[]) => list.map((item) => `  - ${item}\n`).join("");
  const blocks = `${base}countries:\n${block(countries)}netblocks:\n${block(netblocks)}`;
  const flow = `${base}countries: [${countries}]\nnetblocks: [${netblocks.join(", ")}]\n`.replaceAll(",", ",\n  ");
  expect(problems(blocks)).toEqual([]);
  expect(problems(flow)).toEqual([]);
});

/** 16,000 characters of lines that are alike. */
const lines = (line: string) => `${line}\n`.repeat(Math.floor(16_000 / (line.length + 1)));

test.each([
  ["deep keys", "? ".repeat(32_000)],
  ["deep keys on long lines", lines(`${"? ".repeat(490)}a`)],
  ["deep keys in brackets", lines("{? ".repeat(300))],
  ["deep keys in lists", lines("- ? - ? ".repeat(100))],
  ["deep keys with other ends of lines", "? \r".repeat(4000)],
  ["deep lists", "[".repeat(65_000)],
  ["deep lists on long lines", lines("- ".repeat(490))],
  ["deep lists on many lines", Array.from({ length: 200 }, (_, index) => `${" ".repeat(index)}-`).join("\n")],
  ["many keys", Array.from({ length: 2000 }, (_, index) => `${index.toString(36)}:\n`).join("")],
  ["many keys in brackets", `{${Array.from({ length: 3000 }, (_, index) => `${index.toString(36)},\n`).join("")}}`],
  ["many colons", lines(": ".repeat(490))],
  ["many anchors", lines("&a ".repeat(300))],
  ["many aliases", lines("*a :")],
  ["a bomb of aliases", `a: &a [x, x]\n${"b: [*a, *a, *a]\n".repeat(20)}`],
  ["bytes that are no text", "\0\u0001\uFFFD".repeat(1000)],
  ["a long line", `contact: ${"x".repeat(15_000)}\n`],
  ["a large file", "# nothing\n".repeat(7000)],
])("%s are refused, and in no time", (_, text) => {
  expect(problems(text)).not.toEqual([]);
});
