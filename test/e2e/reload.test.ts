import { once } from "node:events";
import { get as httpGet } from "node:http";
import { startMirror, type TestMirror } from "@nearlayer/mirrorlist/testing/http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { until } from "../lib/process/until.ts";
import { openSocket } from "../lib/raw-http.ts";
import { type Serving, startServing } from "../lib/serving.ts";

/** SIGHUP and SIGTERM at the real program, while clients ask. */
describe("mirrorlist serve", () => {
  let folder: TemporaryFolder;
  let serving: Serving;
  let mirror: TestMirror;

  beforeAll(async () => {
    folder = await temporaryFolder("reload");
  });
  afterAll(() => folder[Symbol.asyncDispose]());
  beforeEach(async (context) => {
    serving = await startServing(await folder.at(context.task.id), {}, { mirrors: [] });
    mirror = await startMirror(serving.root);
    await serving.push({ repository: "fedora/app", tag: "40", layers: ["one"] });
    await until(async () => (await fetch(`${serving.url}/v2/fedora/app/manifests/40`)).ok, { what: "the image" });
    return async () => {
      await serving[Symbol.asyncDispose]();
      await mirror[Symbol.asyncDispose]();
    };
  });

  const declare = (name: string) => ({ name, url: mirror.url, country: "JP", allowPrivateAddress: true });
  const mirrorNames = async (): Promise<string[]> => {
    const { mirrors } = (await (await fetch(`${serving.url}/mirrors.json`)).json()) as { mirrors: { name: string }[] };
    return mirrors.map(({ name }) => name);
  };

  test("20 reloads: each comes into force, and no request fails meanwhile", async () => {
    const stop = new AbortController();
    const answers: number[] = [];
    const client = async () => {
      while (!stop.signal.aborted) {
        const response = await fetch(`${serving.url}/v2/fedora/app/manifests/40`);
        await response.arrayBuffer();
        answers.push(response.status);
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    for (let round = 1; round <= 20; round++) {
      await serving.configure(
        { delivery: round % 2 === 0 ? "auto" : "redirect" },
        { mirrors: [declare(`m-${round}`)] },
      );
      serving.daemon.kill("SIGHUP");
      await until(async () => (await mirrorNames()).join() === `m-${round}`, { what: `configuration ${round}` });
    }
    stop.abort();
    await clients;
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect((await serving.metrics())['nearlayer_config_reloads_total{result="ok"}']).toBe(20);
  });

  test("a wrong configuration is refused with its lines, and the old one stays", async () => {
    await serving.configure({}, { mirrors: [declare("good")] });
    serving.daemon.kill("SIGHUP");
    await until(async () => (await mirrorNames()).join() === "good", { what: "the mirror" });
    await serving.write("mirrorlist:\n  deliverie: auto\ncrawler:\n  interval: often\n");
    serving.daemon.kill("SIGHUP");
    const refusal = async () => (await serving.log()).find(({ msg }) => msg.includes("configuration is wrong"));
    const { problems } = await until(refusal, { what: "the refusal" });
    expect(problems).toEqual([
      expect.stringMatching(/nearlayer\.yaml:2: mirrorlist\.deliverie: unknown key/),
      expect.stringMatching(/nearlayer\.yaml:4: crawler\.interval: not a duration/),
    ]);
    expect(await mirrorNames()).toEqual(["good"]);
    expect((await serving.metrics())['nearlayer_config_reloads_total{result="refused"}']).toBe(1);
  });

  test("who is trusted changes with it; what needs a restart is named and stays", async () => {
    const explain = async () => {
      const response = await fetch(`${serving.url}/explain?image=fedora/app:40`, {
        headers: { "x-forwarded-for": "133.11.0.1" },
      });
      return ((await response.json()) as { client: { address: string } }).client.address;
    };
    expect(await explain()).toBe("133.11.0.1");
    await serving.configure({ trustedProxies: [], listen: `127.0.0.1:${await freePort()}` }, { root: "/elsewhere" });
    serving.daemon.kill("SIGHUP");
    await until(async () => (await explain()) === "127.0.0.1", { what: "the proxy to be trusted no more" });
    const named = async () => (await serving.log()).find(({ msg }) => msg.includes("need a restart"));
    expect((await until(named, { what: "the log to name them" })).keys).toEqual(["root", "mirrorlist.listen"]);
  });

  test("SIGTERM: /readyz says so first, what is under way is finished, and what is idle does not hold it up", async () => {
    const patient = { limits: { headersTimeout: "2m", requestTimeout: "2m" }, drainTimeout: "1m" };
    await serving.configure({ drainDelay: "1s", ...patient });
    serving.daemon.kill("SIGHUP");
    await until(async () => (await serving.log()).some(({ msg }) => msg.includes("read again")), { what: "the delay" });
    const layer = "x".repeat(8 * 1024 * 1024);
    const { layers } = await serving.push({ repository: "fedora/app", tag: "large", layers: [layer] });
    const target = `${serving.url}/v2/fedora/app/blobs/${layers[0]}`;
    await until(async () => (await fetch(target, { method: "HEAD" })).ok, { what: "the layer" });
    const [answer] = await once(httpGet(target, { agent: false }), "response");
    // One that has never asked for anything, and that Node itself would wait for.
    const silent = await openSocket(serving.port);
    serving.daemon.kill("SIGTERM");
    const readiness = async () => (await fetch(`${serving.url}/readyz`)).status;
    await until(async () => (await readiness()) === 503, { what: "/readyz to say so" });
    expect((await fetch(`${serving.url}/v2/`)).status).toBe(200);
    const refused = () =>
      fetch(`${serving.url}/v2/`).then(
        () => false,
        () => true,
      );
    await until(refused, { what: "no more connections" });
    expect(serving.daemon.running()).toBe(true);
    let bytes = 0;
    for await (const chunk of answer) bytes += chunk.length;
    expect(bytes).toBe(layer.length);
    await until(() => !serving.daemon.running(), { what: "the end" });
    expect((await serving.log()).at(-1)).toMatchObject({ msg: "stopped" });
    expect(silent.closed).toBe(true);
  });
});
