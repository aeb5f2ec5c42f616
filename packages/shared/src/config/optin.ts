import { z } from "zod";
import { duration, UNITS } from "./duration.ts";

/** How mirrors that the operator does not declare opt in. The mirror list's docs/mirrors.md says what each does. */
export const optin = z.strictObject({
  /** Where the master's write-only rsync module puts uploads; without it, none are read. */
  folder: z.string().min(1).optional(),
  /** `proof`: who shows the token under its URL takes part; `approve`: the operator is asked as well. */
  policy: z.enum(["proof", "approve"]).default("proof"),
  /** Whether mirrors can opt in over HTTP, under /api/mirrors. */
  api: z.boolean().default(true),
  /** Whether private and loopback addresses are taken: for tests and closed networks. */
  allowPrivateAddress: z.boolean().default(false),
  /** How many mirrors may be pending at a time, and for how long. */
  maxPending: z.int().min(1).max(100_000).default(100),
  pendingFor: duration.default(30 * UNITS.d),
  /** How many requests that write the clients of one network (IPv4 /24, IPv6 /48) may make in an hour. */
  perHour: z.int().min(1).max(1_000_000).default(60),
});

export type OptinConfig = z.output<typeof optin>;
