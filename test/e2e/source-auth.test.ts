import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allLayers, type BuiltImage } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../lib/peers/faulty-registry.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { startTokenServer, type TokenServer } from "../lib/peers/token-server.ts";
import { type Certificate, makeCertificate } from "../lib/process/certificate.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, type RunResult, runOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

const missing = await whyNot("credentials");
const USERNAME = "syncer";
const PASSWORD = "pass:w0rd&secret";
const BASIC = Buffer.from(`${USERNAME}:${PASSWORD}`).toString("base64");

/** Real docker-registries that want to know who asks, over one storage that an open one fills. */
describe.skipIf(missing !== undefined)(
  `who asks (${missing ?? "docker-registry with htpasswd and with tokens"})`,
  () => {
    let folder: TemporaryFolder;
    let certificate: Certificate;
    let open: Registry;
    let basic: Registry;
    let guarded: Registry;
    let tokens: TokenServer;
    let image: BuiltImage;
    let passwordFile: string;
    let round = 0;

    beforeAll(async () => {
      folder = await temporaryFolder("auth");
      certificate = await makeCertificate(folder.path);
      open = await startRegistry({ dir: await folder.at("open") });
      const htpasswd = join(folder.path, "htpasswd");
      await runOk("htpasswd", ["-Bbc", "-C", "5", htpasswd, USERNAME, PASSWORD]);
      basic = await startRegistry({
        dir: await folder.at("basic"),
        storage: open.storage,
        config: `auth: {htpasswd: {realm: test, path: ${htpasswd}}}`,
      });
      tokens = await startTokenServer({
        certificate,
        username: USERNAME,
        password: PASSWORD,
        refreshToken: "refresh-me",
      });
      guarded = await startRegistry({
        dir: await folder.at("guarded"),
        storage: open.storage,
        config: tokens.registryConfig,
      });
      const [built] = await Array.fromAsync(randomImages({ seed: "auth", count: 1, layerSize: 400_000 }));
      if (built === undefined) throw new Error("no image");
      image = built;
      for (const repository of ["auth/a", "auth/b"]) await pushImage(open.url, repository, "1", image);
      passwordFile = join(folder.path, "password");
      await writeFile(passwordFile, `${PASSWORD}\n`);
    });
    afterAll(async () => {
      for (const peer of [open, basic, guarded]) await peer?.stop();
      await tokens?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    const newSite = async (source: Record<string, unknown>): Promise<Site> => {
      tokens.forget();
      // Nobody's own config.json plays a part.
      return createSite(await folder.at(`site${++round}`), { retries: 0, ...source });
    };
    const env = { DOCKER_CONFIG: "/nonexistent", NEARLAYER_LOG: "trace" };
    const expectCarried = async (site: Site, result: RunResult) => {
      expectOk(result);
      expect(await site.published()).toEqual(publishedBlobs(image));
      expectNoSecret(result);
    };
    const expectNoSecret = ({ stdout, stderr }: RunResult) => {
      for (const secret of [PASSWORD, BASIC, "refresh-me"]) expect(stdout + stderr).not.toContain(secret);
    };
    const dockerConfig = async (content: unknown) => {
      const file = join(folder.path, `config-${++round}.json`);
      await writeFile(file, JSON.stringify(content));
      return file;
    };

    test("basic: without credentials it is refused, with a hint", async () => {
      const result = await (await newSite({ url: basic.url })).sync([], { env });
      expect(result.exitCode).toBe(3);
      expect(result.stderr).toContain("401");
      expect(result.stderr).toContain("source.username");
    });

    test("basic: the password comes from a file, or from the environment", async () => {
      const fromFile = await newSite({ url: basic.url, username: USERNAME, passwordFile });
      await expectCarried(fromFile, await fromFile.sync([], { env }));
      const fromEnv = await newSite({ url: basic.url, username: USERNAME });
      await expectCarried(fromEnv, await fromEnv.sync([], { env: { ...env, NEARLAYER_SOURCE_PASSWORD: PASSWORD } }));
    });

    test("basic: a wrong password is refused and told to nobody", async () => {
      const wrong = join(folder.path, "wrong");
      await writeFile(wrong, "wr0ng-secret");
      const result = await (await newSite({ url: basic.url, username: USERNAME, passwordFile: wrong })).sync([], {
        env,
      });
      expect(result.exitCode).toBe(3);
      expect(result.stdout + result.stderr).not.toContain("wr0ng-secret");
    });

    test("Docker's config.json: auths, and a credential helper", async () => {
      const auths = await newSite({
        url: basic.url,
        dockerConfig: await dockerConfig({ auths: { [basic.host]: { auth: BASIC } } }),
      });
      await expectCarried(auths, await auths.sync([], { env }));

      const helpers = await folder.at("helpers");
      const helper = join(helpers, "docker-credential-test");
      // Says what it was asked, and answers what the real ones do.
      await writeFile(
        helper,
        `#!/bin/sh\ncat >>${helpers}/asked\necho " $1" >>${helpers}/asked\necho '{"Username":"${USERNAME}","Secret":"${PASSWORD}"}'\n`,
      );
      await chmod(helper, 0o755);
      const path = `${helpers}:${process.env.PATH}`;
      for (const config of [{ credHelpers: { [basic.host]: "test" } }, { credsStore: "test" }]) {
        const site = await newSite({ url: basic.url, dockerConfig: await dockerConfig(config) });
        await expectCarried(site, await site.sync([], { env: { ...env, PATH: path } }));
      }
      expect((await runOk("cat", [join(helpers, "asked")])).stdout).toBe(`${basic.host} get\n${basic.host} get`);

      const hostile = await newSite({
        url: basic.url,
        dockerConfig: await dockerConfig({ credsStore: "test; touch PWNED" }),
      });
      expect(await hostile.sync([], { env })).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("not the name of a credential helper"),
      });
    });

    test("tokens: one for each scope, and every request with one after the first challenge", async () => {
      const site = await newSite({ url: guarded.url, username: USERNAME, passwordFile });
      const mark = await guarded.log.mark();
      await expectCarried(site, await site.sync([], { env }));
      expect(tokens.requests.map(({ scope }) => scope).sort()).toEqual([
        "registry:catalog:*",
        "repository:auth/a:pull",
        "repository:auth/b:pull",
      ]);
      expect(new Set(tokens.requests.map(({ service }) => service))).toEqual(new Set(["test registry"]));
      const refused = (await guarded.log.entries(mark)).filter(({ status }) => status === 401);
      expect(refused.map(({ uri }) => uri)).toEqual(["/v2/_catalog?n=1000"]);
    });

    test("tokens: one that has expired is not sent any more, and one that is refused is replaced", async () => {
      const proxy = await startFaultyRegistry({ backend: guarded.url });
      const ofA = () => tokens.requests.filter(({ scope }) => scope === "repository:auth/a:pull");
      try {
        // Time goes by between the listing and the manifest.
        proxy.setFaults(async ({ path, before }) => {
          if (path.includes("/manifests/1") && before === 0) await new Promise((resolve) => setTimeout(resolve, 1500));
          return undefined;
        });
        tokens.life = 1;
        const credentials = {
          url: proxy.url,
          username: USERNAME,
          passwordFile,
          concurrency: 1,
          repositories: ["auth/a"],
        };
        const expiring = await newSite(credentials);
        await expectCarried(expiring, await expiring.sync([], { env }));
        expect(ofA().length).toBeGreaterThan(1);

        tokens.life = 300;
        let refused: string | undefined;
        proxy.setFaults(({ path, headers }) => {
          // The first token to be sent for a manifest by digest counts as revoked from then on.
          if (path.includes("/manifests/sha256:")) refused ??= headers.authorization;
          if (refused === undefined || headers.authorization !== refused) return undefined;
          const challenge = `Bearer realm="${tokens.url}",service="test registry",scope="repository:auth/a:pull"`;
          return { kind: "answer", status: 401, headers: { "www-authenticate": challenge } };
        });
        const revoked = await newSite(credentials);
        await expectCarried(revoked, await revoked.sync([], { env }));
        expect(refused).toMatch(/^Bearer /);
        expect(ofA()).toHaveLength(2);
      } finally {
        tokens.life = 300;
        await proxy[Symbol.asyncDispose]();
      }
    });

    test("tokens: the refresh token of a login is sent in a body, to the token server alone", async () => {
      const site = await newSite({
        url: guarded.url,
        dockerConfig: await dockerConfig({ auths: { [guarded.host]: { identitytoken: "refresh-me" } } }),
      });
      await expectCarried(site, await site.sync([], { env }));
      expect(tokens.requests[0]).toMatchObject({
        method: "POST",
        refreshToken: "refresh-me",
        authorization: undefined,
      });
    });

    test("tokens: a wrong password is refused, and what the server says of it is not repeated", async () => {
      const wrong = join(folder.path, "wrong-token");
      await writeFile(wrong, "wr0ng-secret");
      const result = await (await newSite({ url: guarded.url, username: USERNAME, passwordFile: wrong })).sync([], {
        env,
      });
      expect(result.exitCode).toBe(3);
      expect(result.stderr).toContain("token server");
      expect(result.stdout + result.stderr).not.toContain("wr0ng-secret");
      expectNoSecret(result);
    });

    describe("over TLS", () => {
      let secure: FaultyRegistry;
      let elsewhere: FaultyRegistry;
      beforeAll(async () => {
        secure = await startFaultyRegistry({ backend: basic.url, certificate });
        elsewhere = await startFaultyRegistry({ backend: open.url, certificate });
      });
      afterAll(async () => {
        await secure?.[Symbol.asyncDispose]();
        await elsewhere?.[Symbol.asyncDispose]();
      });
      const credentials = () => ({ url: secure.url, username: USERNAME, passwordFile });

      test("an authority of our own is believed when it is named, and only then", async () => {
        const refused = await (await newSite(credentials())).sync([], { env });
        expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("source.ca") });
        expect(secure.requests).toEqual([]);
        const site = await newSite({ ...credentials(), ca: certificate.file });
        await expectCarried(site, await site.sync([], { env }));
      });

      test("blobs are fetched from where they are redirected to, without our credentials", async () => {
        secure.setFaults(({ path }) =>
          path.includes("/blobs/")
            ? { kind: "answer", status: 307, headers: { location: `${elsewhere.url}${path}?signature=x` } }
            : undefined,
        );
        const site = await newSite({ ...credentials(), ca: certificate.file });
        await expectCarried(site, await site.sync([], { env }));
        expect(elsewhere.requests.length).toBeGreaterThanOrEqual(allLayers(image).length);
        expect(elsewhere.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
        expect(secure.requests.some(({ headers }) => headers.authorization === `Basic ${BASIC}`)).toBe(true);
      });

      test("a redirect to http is not followed, nor one in a circle", async () => {
        const site = await newSite({ ...credentials(), ca: certificate.file });
        const mark = await open.log.mark();
        secure.setFaults(({ path }) =>
          path.includes("/blobs/")
            ? { kind: "answer", status: 307, headers: { location: `${open.url}${path}` } }
            : undefined,
        );
        const downgraded = await site.sync([], { env });
        expect(downgraded.report.failures[0]?.message).toContain("not without TLS");
        expect(await open.log.entries(mark)).toEqual([]);
        secure.setFaults(({ path }) =>
          path.includes("/blobs/") ? { kind: "answer", status: 302, headers: { location: path } } : undefined,
        );
        secure.forget();
        expect((await site.sync([], { env })).report.failures[0]?.message).toContain("redirects more than 5 times");
        secure.setFaults(() => undefined);
      });

      test("nobody is sent to a token server without TLS", async () => {
        secure.setFaults(() => ({
          kind: "answer",
          status: 401,
          headers: { "www-authenticate": `Bearer realm="${tokens.url}",service="test registry"` },
        }));
        const result = await (await newSite({ ...credentials(), ca: certificate.file })).sync([], { env });
        expect(result).toMatchObject({
          exitCode: 3,
          stderr: expect.stringContaining("a token server must be an https URL"),
        });
        expect(tokens.requests).toEqual([]);
        secure.setFaults(() => undefined);
      });
    });
  },
);
