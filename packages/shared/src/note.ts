import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { NearlayerError } from "./errors.ts";

/**
 * Signed notes: a text, an empty line, and lines of signatures (C2SP signed-note, https://c2sp.org/signed-note).
 * Ed25519 alone. A signing key is kept as PEM (PKCS #8); a verifying key is the one line `name+hash+base64`.
 */

const ED25519 = 0x01;
/** DER in front of the 32 bytes of an Ed25519 public key (RFC 8410, section 4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const SIGNATURE_MARK = "— ";

/** A private key and the name it signs under. */
export interface Signer {
  readonly name: string;
  readonly key: KeyObject;
}

/** A public key and the name whose signatures it checks. */
export interface Verifier {
  readonly name: string;
  readonly keyHash: string;
  readonly key: KeyObject;
}

const rawPublicKey = (key: KeyObject) => createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);

/** The four bytes that tell keys of one name apart. */
function keyHashOf(name: string, raw: Uint8Array): Buffer {
  return createHash("sha256")
    .update(name)
    .update(Buffer.from([0x0a, ED25519]))
    .update(raw)
    .digest()
    .subarray(0, 4);
}

/** A new private key, as PEM. */
export function generateKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

/** Throws CONFIG_INVALID when the PEM is not an Ed25519 private key or the name has spaces or plus signs. */
export function createSigner(name: string, pem: string): Signer {
  checkName(name);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", "the signing key is not a PEM private key", { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new NearlayerError("CONFIG_INVALID", `the signing key is ${key.asymmetricKeyType}, not ed25519`);
  }
  return { name, key };
}

/** The line that others check this signer's notes with: `name+hash+base64(type, key)`. */
export function verifierLine(signer: Signer): string {
  const raw = rawPublicKey(signer.key);
  const encoded = Buffer.concat([Buffer.from([ED25519]), raw]).toString("base64");
  return `${signer.name}+${keyHashOf(signer.name, raw).toString("hex")}+${encoded}`;
}

/** Reads a verifier line. Throws CONFIG_INVALID when it is not one. */
export function parseVerifier(line: string): Verifier {
  // Base64 may hold a plus sign, a name may not.
  const [name, keyHash, ...rest] = line.trim().split("+");
  const bytes = Buffer.from(rest.join("+"), "base64");
  const raw = bytes.subarray(1);
  if (!name || bytes.length !== 33 || bytes[0] !== ED25519 || keyHashOf(name, raw).toString("hex") !== keyHash) {
    throw new NearlayerError("CONFIG_INVALID", `not a verifying key: ${line.slice(0, 200)}`, {
      hint: "it looks like name+01234567+base64, as `syncer key show` prints it",
    });
  }
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
  return { name, keyHash, key };
}

/** The text with one signature below it. The text must end with a newline. */
export function signNote(text: string, signer: Signer): string {
  if (!text.endsWith("\n")) throw new Error("a note ends with a newline");
  const keyHash = keyHashOf(signer.name, rawPublicKey(signer.key));
  const signature = Buffer.concat([keyHash, sign(null, Buffer.from(text), signer.key)]);
  return `${text}\n${SIGNATURE_MARK}${signer.name} ${signature.toString("base64")}\n`;
}

/** The text of a note, without its signatures; they are not checked. */
export function noteText(note: string): string {
  const end = note.lastIndexOf("\n\n");
  return end < 0 ? note : note.slice(0, end + 1);
}

/** Is one of the note's signatures by this key, and right? Lines of other keys are passed over, as the format asks. */
export function isSignedBy(note: string, verifier: Verifier): boolean {
  const text = noteText(note);
  return note
    .slice(text.length + 1)
    .split("\n")
    .some((line) => {
      const [name, encoded] = line.startsWith(SIGNATURE_MARK) ? line.slice(SIGNATURE_MARK.length).split(" ") : [];
      if (name !== verifier.name || encoded === undefined) return false;
      const bytes = Buffer.from(encoded, "base64");
      if (bytes.length !== 68 || bytes.subarray(0, 4).toString("hex") !== verifier.keyHash) return false;
      return verify(null, Buffer.from(text), verifier.key, bytes.subarray(4));
    });
}

function checkName(name: string): void {
  if (name === "" || /[\s+]/.test(name)) {
    throw new NearlayerError("CONFIG_INVALID", `a key's name has no spaces and no plus signs: ${JSON.stringify(name)}`);
  }
}
