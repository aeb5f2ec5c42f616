import { z } from "zod";

/** Milliseconds. */
export const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `500ms`, `60s`, `10m`, `12h` or `7d`; in milliseconds once read. */
export const duration = z.string().transform((text, context) => {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (match) return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  context.addIssue({ code: "custom", message: `not a duration: ${text} (use 60s, 10m, 12h, 7d)` });
  return z.NEVER;
});
