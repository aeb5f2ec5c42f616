import { z } from "zod";

/** An http or https URL without anything secret in it. */
export const httpUrl = z.url({ protocol: /^https?$/, error: "not an http or https URL" }).refine(
  (text) => {
    const url = new URL(text);
    return url.username === "" && url.password === "" && url.hash === "";
  },
  { error: "a URL without user, password and fragment, please: secrets come from files or the environment" },
);

type Address = { readonly host: string; readonly port: number };

function readAddress(text: string, context: z.RefinementCtx): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? "", port };
  context.addIssue({ code: "custom", message: `not HOST:PORT: ${text}` });
  return z.NEVER;
}

/** `HOST:PORT`; `[ADDRESS]:PORT` for IPv6. */
export const listen = z.string().transform(readAddress);
export const listenOrNone = z
  .string()
  .transform((text, context) => (text === "none" ? ("none" as const) : readAddress(text, context)));
