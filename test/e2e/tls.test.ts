import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFile, rename, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Certificate, makeCertificate } from "../lib/process/certificate.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk, run } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { type Serving, startServing } from "../lib/serving.ts";

const fingerprint = ({ cert }: Certificate) => new X509Certificate(cert).fingerprint256;

/** HTTP and TLS beside each other, with a certificate of the operator's own, which is renewed under way. */
describe("TLS", () => {
  const certificates: Certificate[] = [];
  let folder: TemporaryFolder;
  let serving: Serving;
  let port: number;
  let files: { certificate: string; key: string };

  beforeAll(async () => {
    folder = await temporaryFolder("tls");
    if (await whyNot("credentials")) return;
    for (const name of ["first", "second"]) certificates.push(await makeCertificate(folder.path, name));
    files = { certificate: join(folder.path, "tls.crt"), key: join(folder.path, "tls.key") };
    await install(0);
    port = await freePort();
    serving = await startServing(folder.path, { listenTls: `127.0.0.1:${port}`, tls: files });
    await serving.push({ repository: "fedora/app", tag: "40", layers: ["one", "two"] });
  });
  afterAll(async () => {
    await serving?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, "credentials"));

  /** As what renews certificates does it: one file after the other, each in one step. */
  async function install(index: number) {
    const { cert, key } = at(index);
    for (const [file, text] of [[files.certificate, cert] as const, [files.key, key] as const]) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    }
  }

  function at(index: number): Certificate {
    const certificate = certificates[index];
    if (certificate === undefined) throw new Error(`no certificate ${index}`);
    return certificate;
  }

  async function shown(): Promise<string> {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  }

  async function get(path: string, agent: Agent) {
    const outgoing = request({ host: "127.0.0.1", port, path, agent, rejectUnauthorized: false }).end();
    const [response] = await once(outgoing, "response");
    response.resume();
    await once(response, "end");
    return { status: response.statusCode as number, reused: outgoing.reusedSocket };
  }

  const skopeo = (trusted: string) =>
    run("skopeo", [
      ...["--insecure-policy", "copy", "--src-cert-dir", trusted],
      ...[`docker://127.0.0.1:${port}/fedora/app:40`, `dir:${join(folder.path, "copy")}`],
    ]);

  test("skopeo pulls, and checks the certificate", async (context) => {
    await skipUnless(context, "skopeo");
    const trusted = await folder.at("trusted");
    const refused = await skopeo(trusted);
    expect([refused.exitCode === 0, refused.stderr]).toEqual([false, expect.stringContaining("x509")]);
    await copyFile(at(0).file, join(trusted, "ca.crt"));
    expectOk(await skopeo(trusted));
  });

  test("HTTP goes on beside it", async () => {
    expect((await fetch(`${serving.url}/v2/`)).status).toBe(200);
  });

  test("a renewed certificate is used at once, and connections that were there go on", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await get("/v2/", agent)).toEqual({ status: 200, reused: false });
    expect(await shown()).toBe(fingerprint(at(0)));
    await install(1);
    await until(async () => (await shown()) === fingerprint(at(1)), { what: "the other certificate" });
    expect(await get("/v2/fedora/app/manifests/40", agent)).toEqual({ status: 200, reused: true });
    agent.destroy();
  });

  test("a pair that does not fit is not used: the log says so, and the old one stays", async () => {
    await install(1);
    await until(async () => (await shown()) === fingerprint(at(1)), { what: "the certificate" });
    await writeFile(files.certificate, at(0).cert);
    const told = async () => (await serving.log()).some(({ msg }) => msg.includes("cannot be used: the old one stays"));
    await until(told, { what: "the log to say so" });
    expect(await shown()).toBe(fingerprint(at(1)));
    await install(0);
    await until(async () => (await shown()) === fingerprint(at(0)), { what: "the pair that fits" });
  });

  test("the certificate's end is among the metrics", async () => {
    const expiry = (await serving.metrics()).nearlayer_tls_certificate_expiry_timestamp_seconds;
    expect(expiry).toBe(Date.parse(new X509Certificate(at(0).cert).validTo) / 1000);
  });
});
