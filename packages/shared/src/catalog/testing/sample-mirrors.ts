import { type DeclaredMirror, mirrorSchema } from "../../config/schema.ts";
import { digestOf, hexOf } from "../../digest.ts";
import type { NewMirror } from "../mirrors.ts";

export const AT = "2026-11-24T12:00:00.000Z";
export const LATER = "2026-11-24T12:05:00.000Z";
export const ROOM = { maxPending: 100 };

/** A mirror as it is declared; each name has a URL of its own. */
export function sampleMirror(name: string, more: Record<string, unknown> = {}): DeclaredMirror {
  return mirrorSchema.parse({ name, url: `http://${name}.example.org/pub/`, country: "JP", ...more });
}

export const proofOf = (name: string) => hexOf(digestOf(`token of ${name}`));

/** A mirror that opts in by itself. */
export function newMirror(name: string, more: Record<string, unknown> = {}): NewMirror {
  const declared = sampleMirror(name, more);
  return { declared, proof: proofOf(name), actor: "mirror", reason: "opted in: waiting for its proof", at: AT };
}
