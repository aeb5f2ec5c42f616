import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";

/** The files of a certificate with its chain and of its key, PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate and its key, seen to fit together. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Throws CONFIG_INVALID when the files cannot be read, are not what they should be, or do not fit together. */
export async function loadKeyPair({ certificate, key: keyFile }: TlsFiles): Promise<KeyPair> {
  try {
    const [cert, key] = await Promise.all([readFile(certificate), readFile(keyFile)]);
    // Throws when the key is another certificate's.
    createSecureContext({ cert, key });
    return { cert, key, expiresAt: Date.parse(new X509Certificate(cert).validTo) };
  } catch (cause) {
    throw new NearlayerError(
      "CONFIG_INVALID",
      `the certificate ${certificate} and the key ${keyFile} cannot be used: ${messageOf(cause)}`,
      {
        cause,
        hint: "mirrorlist.tls takes two PEM files: the certificate with its chain, and the key it was made for",
      },
    );
  }
}
