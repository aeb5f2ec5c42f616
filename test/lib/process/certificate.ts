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
