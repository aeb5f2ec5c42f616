import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runOk } from "./run.ts";

/** A certificate that signs itself, for 127.0.0.1 and localhost, and its key; PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The file of the certificate. */
  readonly file: string;
}

export async function makeCertificate(dir: string, name = "registry"): Promise<Certificate> {
  const [file, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  await runOk("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
    ...["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", keyFile, "-out", file],
  ]);
  return { cert: await readFile(file, "utf8"), key: await readFile(keyFile, "utf8"), file };
}

/** A certificate that another one signs, as servers want it that believe no certificate on its own word. */
export async function makeSignedCertificate(dir: string, name: string, signer: string): Promise<Certificate> {
  const [file, keyFile, request] = [join(dir, `${name}.crt`), join(dir, `${name}.key`), join(dir, `${name}.csr`)];
  await runOk("openssl", [
    ...["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`, "-keyout", keyFile, "-out", request],
  ]);
  const [ca, caKey] = [join(dir, `${signer}.crt`), join(dir, `${signer}.key`)];
  await runOk("openssl", [
    ...["x509", "-req", "-in", request, "-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", "2", "-out", file],
  ]);
  return { cert: await readFile(file, "utf8"), key: await readFile(keyFile, "utf8"), file };
}
