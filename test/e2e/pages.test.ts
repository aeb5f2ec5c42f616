import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withRevision } from "@nearlayer/shared/catalog/mirror-rows";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import type { Digest } from "@nearlayer/shared/digest";
import { parsePlatform } from "@nearlayer/shared/platform";
import axe from "axe-core";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { startBrowser, type Visit, visit } from "../lib/browser.ts";
import { buildImage } from "../lib/images/image.ts";
import { randomLayer } from "../lib/images/layer.ts";
import { pushImage } from "../lib/images/push.ts";
import { startMirrorlist } from "../lib/nearlayer.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import { startPostgres } from "../lib/peers/postgres.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDED = ["registry", "rsync", "nginx", "chromium"] as const;
const EVIL = `"><img src="x" onerror="alert(1)"><script>alert(1)</script>`;
const PHONE = { width: 390, height: 800 };
const HOUR = 3_600_000;

/** Runs in the page: how many rules hold, and where one does not. */
const AXE = `axe.run().then(({ passes, violations }) => ({
  rules: passes.length,
  broken: violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 200)).join(", ")),
}))`;

/** The pages as a browser shows them, over images that a real registry, syncer and mirrors have brought. */
describe("the pages in a browser", () => {
  let folder: TemporaryFolder;
  let network: Network;
  let browser: Browser;
  let image: string;

  beforeAll(async () => {
    folder = await temporaryFolder("pages");
    for (const name of NEEDED) if (await whyNot(name)) return;
    network = await startNetwork({
      dir: folder.path,
      mirrors: [
        { name: "example-jp", country: "JP" },
        { name: "example-de", country: "DE" },
      ],
      settings: { crawler: { interval: "1s", auditEvery: "1s" } },
    });
    image = await publish();
    await network.serve();
    await network.untilFresh();
    await writeHistory();
    await until(async () => (await (await fetch(`${network.mirrorlistUrl}/mirrors.json`)).text()).includes("hostile"), {
      what: "the mirror that has opted in to be shown",
    });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await network?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, ...NEEDED));

  async function publish(): Promise<string> {
    const layers = ["base", "app"].map((name) => randomLayer(`pages/${name}`, 64 << 10));
    const built = buildImage(
      "oci-index",
      await Promise.all(
        ["amd64", "arm64"].map(async (architecture) => ({
          platform: { os: "linux", architecture },
          layers: await Promise.all(layers),
          labels: { "org.example.evil": EVIL, [EVIL]: "a name" },
          annotations: { "org.example.note": EVIL },
          command: [EVIL],
        })),
      ),
    );
    for (const repository of ["fedora/app", "fedora/other", "tools/web"]) {
      for (const tag of ["9", "10", "latest"]) await pushImage(network.registry.url, repository, tag, built);
    }
    expectOk(await network.sync());
    expectOk(await network.publish());
    await network.pullMirrors();
    return built.manifests[0]?.digest ?? "";
  }

  /** What crawlers will have written after a while, and what only somebody with bad intentions would have. */
  async function writeHistory(): Promise<void> {
    const catalog = await openCatalog(join(folder.path, "catalog.db"));
    const now = Date.now();
    const ago = (ms: number) => new Date(now - ms).toISOString();
    const hourAgo = (hours: number) => new Date((Math.floor(now / HOUR) - hours) * HOUR).toISOString();
    const hostile = { state: "disabled", reason: EVIL, stateSince: ago(HOUR), createdAt: ago(HOUR) } as const;
    const declaration = { url: "https://hostile.example.org/", country: "US", contact: EVIL };
    await catalog.transaction().execute((transaction) =>
      withRevision(transaction, async (revision) => {
        for (const name of ["hostile", "<script>alert(1)</script>"]) {
          const row = {
            name,
            declaration: JSON.stringify({ name, ...declaration }),
            declaredBy: "mirror",
            proof: "0",
          } as const;
          await transaction
            .insertInto("mirror")
            .values({ ...hostile, ...row, approvedAt: null, probeWantedAt: null, revision })
            .execute();
        }
      }),
    );
    for (const mirror of ["example-jp", "hostile"]) {
      for (let hours = 1; hours < 100; hours += 1) {
        const probes = { probes: 120, failed: hours % 10, lagSeconds: hours * 30 };
        await catalog
          .insertInto("mirrorHour")
          .values({ mirror, hour: hourAgo(hours), ...probes })
          .execute();
      }
      const change = { mirror, at: ago(HOUR), fromState: "checking", toState: "active", actor: "crawler" } as const;
      await catalog
        .insertInto("mirrorChange")
        .values({ ...change, reason: EVIL })
        .execute();
      const audit = { mirror, at: ago(HOUR), platform: parsePlatform("linux-amd64"), kind: "hash", ok: 0 } as const;
      await catalog
        .insertInto("mirrorAudit")
        .values({ ...audit, digest: EVIL as Digest, detail: EVIL })
        .execute();
    }
    await catalog.destroy();
  }

  async function come(options: BrowserContextOptions = {}): Promise<Visit> {
    const visitor = await visit(browser, { baseURL: network.mirrorlistUrl, ...options });
    onTestFinished(async () => {
      await visitor[Symbol.asyncDispose]();
      expect(visitor.problems).toEqual([]);
    });
    return visitor;
  }

  const everyPage = () => [
    ...["/", "/?q=fedora", "/?q=nothing-of-the-kind", "/r/fedora/app", "/r/fedora/app:10", `/r/fedora/app@${image}`],
    ...["/mirrors", "/mirrors?sort=state", "/mirrors/example-jp", "/mirrors/hostile"],
    ...["/explain", "/explain?image=fedora/app:10&ip=133.11.0.1"],
  ];

  test.each([true, false])(
    "search, by keyboard alone, leads to an image and its layers (JavaScript: %s)",
    async (js) => {
      const { page, open } = await come({ javaScriptEnabled: js });
      await open("/");
      const search = page.getByRole("searchbox", { name: "Search repositories" });
      const isThere = () => search.evaluate((element) => element.matches(":focus"));
      for (let presses = 0; presses < 10 && !(await isThere()); presses += 1) await page.keyboard.press("Tab");
      expect(await isThere()).toBe(true);
      await page.keyboard.type("app");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "1 repository with “app”" }).waitFor();
      await page.getByRole("link", { name: "fedora/app" }).click();
      expect(await page.getByRole("rowheader").allTextContents()).toEqual(["latest", "10", "9"]);
      await page.getByRole("link", { name: "10", exact: true }).click();
      expect(await page.getByText(/^docker pull/).textContent()).toBe(
        `docker pull ${new URL(network.mirrorlistUrl).host}/fedora/app:10`,
      );
      await page.getByText("linux/arm64", { exact: true }).click();
      expect(await page.getByRole("cell", { name: "2 of 2" }).count()).toBe(4);
      expect(await page.getByRole("button", { name: /^Copy/ }).count()).toBe(js ? 4 : 0);
    },
  );

  test("a command is copied by its button", async () => {
    const { page, open } = await come({ permissions: ["clipboard-read", "clipboard-write"] });
    await open("/r/fedora/app:10");
    await page.getByRole("button", { name: /^Copy: podman/ }).click();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
      `podman pull --tls-verify=false ${new URL(network.mirrorlistUrl).host}/fedora/app:10`,
    );
  });

  test("the map shows each mirror in its place, with the shape of its state, and says so in words", async () => {
    const { page, open } = await come();
    await open("/mirrors");
    const map = page.getByRole("img", { name: "World map of the mirrors" });
    const box = await map.boundingBox();
    const [japan, germany] = await Promise.all(
      ["example-jp", "example-de"].map((name) => map.locator(".mark", { hasText: name }).boundingBox()),
    );
    if (!box || !japan || !germany) throw new Error("not on the map");
    expect((japan.x - box.x) / box.width).toBeGreaterThan(0.75);
    expect((germany.x - box.x) / box.width).toBeLessThan(0.55);
    const states = ["active", "disabled"].map((state) => map.locator(`.mark.${state}`).count());
    expect(await Promise.all(states)).toEqual([2, 1]);
    expect(await map.locator("desc").textContent()).toMatch(/^3 mirrors: .*1 disabled/);
    await page.getByRole("link", { name: "Country" }).click();
    expect(await page.getByRole("rowheader").allTextContents()).toEqual(["example-de", "example-jp", "hostile"]);
    await page.getByRole("link", { name: "example-jp" }).click();
    expect(await page.locator(".plot .good").count()).toBe(99);
    expect(await page.getByText("probes were answered well").first().isVisible()).toBe(true);
  });

  test("what the crawler has seen of a mirror and made of it is on its page", async () => {
    const { page, open } = await come();
    await open("/mirrors/example-de");
    const change = page.getByRole("row").filter({ hasText: "checking" }).filter({ hasText: "active" });
    expect(await change.first().getByRole("cell").last().textContent()).toBe("crawler");
    const platform = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "linux-amd64" }) });
    expect(await platform.first().textContent()).toMatch(/^linux-amd64fresh\s*1\s*1\s*0/);
    const checks = page.getByRole("row").filter({ hasText: "good" });
    const isThere = async () => {
      await open("/mirrors/example-de");
      return (await checks.count()) > 0;
    };
    await until(isThere, { what: "the first audit" });
  });

  test("the command to opt in with is one that works", async () => {
    const { page, open } = await come();
    await open("/mirrors");
    const command = (await page.getByText(/^curl --json/).textContent()) ?? "";
    const [, body, url = ""] = /^curl --json '(.*)' (\S+)$/.exec(command) ?? [];
    const headers = { "content-type": "application/json", accept: "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: body ?? "" });
    expect(await answer.json()).toMatchObject({ name: "mirror.example.org", state: "pending" });
    const isThere = async () => (await fetch(`${network.mirrorlistUrl}/mirrors/mirror.example.org`)).ok;
    await until(isThere, { what: "its own page" });
    await open("/mirrors/mirror.example.org");
    await page.getByText("pending", { exact: true }).first().waitFor();
  });

  test("explain: an address and an image, and the decision as a redirect makes it", async () => {
    const { page, open } = await come();
    await open("/explain");
    await page.getByLabel("Image").fill("fedora/app:10");
    await page.getByLabel("Address").fill("141.1.1.1");
    await page.getByRole("button", { name: "Explain" }).click();
    const first = page.locator("details").first();
    expect(await first.locator("strong").textContent()).toBe("example-de");
    expect(await first.getByRole("rowheader").allTextContents()).toEqual([
      "example-de",
      "example-jp",
      "origin",
      "hostile",
    ]);
    const json = await fetch(page.url());
    const { layers } = (await json.json()) as { layers: { chosen: string }[] };
    expect(layers.map(({ chosen }) => chosen)).toEqual(["example-de", "example-de"]);
  });

  test.each([
    ["a phone", PHONE, "dark"],
    ["a desk", { width: 1280, height: 900 }, "light"],
  ] as const)("on %s nothing is cut off, and no rule of accessibility is broken", async (_, viewport, colorScheme) => {
    const { page, open, overflow } = await come({ viewport, colorScheme });
    for (const path of everyPage()) {
      await open(path);
      expect([path, await overflow()]).toEqual([path, 0]);
      await page.evaluate(axe.source);
      const { rules, broken } = await page.evaluate<{ rules: number; broken: string[] }>(AXE);
      expect(rules).toBeGreaterThan(15);
      expect([path, broken]).toEqual([path, []]);
    }
  });

  test("what mirrors and images say is text, whatever it says", async () => {
    const { page, open } = await come();
    for (const path of everyPage()) {
      await open(path);
      expect([path, await page.locator('img[src="x"]').count()]).toEqual([path, 0]);
    }
    await open(`/r/fedora/app@${image}`);
    expect(await page.getByText(EVIL).count()).toBeGreaterThanOrEqual(3);
    await open("/mirrors/hostile");
    expect(await page.getByText(EVIL).count()).toBeGreaterThanOrEqual(3);
    // How to reach who runs a mirror is for the operator.
    expect(await page.content()).not.toMatch("contact");
    await open(`/?q=${encodeURIComponent(EVIL)}`);
    expect(await page.getByRole("searchbox").inputValue()).toBe(EVIL);
  });

  test("a page that is not there, and one that only a program asks for", async () => {
    const visitor = await visit(browser, { baseURL: network.mirrorlistUrl });
    onTestFinished(() => visitor[Symbol.asyncDispose]());
    await visitor.open(`/r/${encodeURIComponent("<script>alert(1)</script>")}`);
    await visitor.page.getByRole("heading", { name: "Not found" }).waitFor();
    await visitor.open("/explain?image=no/such");
    await visitor.page.getByRole("alert").waitFor();
    expect(visitor.problems.every((problem) => problem.includes("404"))).toBe(true);
    expect((await fetch(`${network.mirrorlistUrl}/nowhere`)).headers.get("content-type")).toBe("application/json");
  });
});

test("without PostgreSQL the pages go on from memory at once, and say what is missing", async (context) => {
  await skipUnless(context, "postgres");
  await using folder = await temporaryFolder("pages-away");
  await using postgres = await startPostgres({ dir: await folder.at("postgres") });
  const url = `http://127.0.0.1:${await freePort()}`;
  const [config, mirror] = [join(folder.path, "nearlayer.yaml"), "http://127.0.0.1:1/"];
  await writeFile(
    config,
    stringify({
      catalog: await postgres.createDatabase(),
      root: folder.path,
      mirrorlist: { listen: new URL(url).host },
      mirrors: [{ name: "example-jp", url: mirror, country: "JP", allowPrivateAddress: true }],
    }),
  );
  await using _ = await startMirrorlist(config, url, await folder.at("mirrorlist"));
  const missing = async (path: string) =>
    /The catalog cannot be read just now/.test(await (await fetch(`${url}${path}`, HTML)).text());
  const everywhere = async () => Promise.all(["/", "/mirrors", "/mirrors/example-jp"].map(missing));
  expect(await everywhere()).toEqual([false, false, false]);
  await postgres.halt("immediate");
  await until(async () => !(await everywhere()).includes(false), { what: "all to say so", within: 80_000 });
  expect(await (await fetch(`${url}/mirrors`, HTML)).text()).toMatch("example-jp");
  await postgres.resume();
  await until(async () => !(await everywhere()).includes(true), { what: "all to be well", within: 80_000 });
});

const HTML = { headers: { accept: "text/html" } };
