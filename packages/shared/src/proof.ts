import { digestOf, type Hex, hexOf } from "./digest.ts";

/**
 * The file under a mirror's base URL that proves that whoever has the token controls the mirror: the sha256 of the token,
 * 64 hexadecimal digits and a newline. The catalog keeps that and nothing else.
 */
export const PROOF_FILE = "nearlayer-mirror.txt";

/** The sha256 of a token's text, which is 64 hexadecimal digits in small letters. */
export function proofOfToken(token: string): Hex {
  return hexOf(digestOf(token));
}

/** What a mirror has to show, and where. `url` is its base URL, with a slash at its end. */
export function proofFileOf(url: string, proof: string): { readonly url: string; readonly content: string } {
  return { url: `${url}${PROOF_FILE}`, content: `${proof}\n` };
}
