import { matchesGlob } from "node:path/posix";
import type { Delivery } from "@nearlayer/shared/config/schema";
import type { Repository } from "@nearlayer/shared/reference";
import { agentOf } from "./agents.ts";

/** How the layers of a manifest are pointed at: by `urls` in it, or by a redirect when they are asked for. */
export type ChosenDelivery = "urls" | "redirect";

export interface DeliveryRequest {
  /** What is configured for the repository. */
  readonly configured: Delivery;
  /** `?delivery=` of the request, for people who look. */
  readonly override?: string | undefined;
  readonly userAgent?: string | undefined;
  /** The request named a digest, and gets the bytes of that digest. */
  readonly byDigest: boolean;
  /** The manifest must keep its digest: `pinned.ts` says why. */
  readonly isPinned: boolean;
}

/** Why, in a word, beside the choice: people ask. */
export interface DeliveryChoice {
  readonly delivery: ChosenDelivery;
  readonly why: "digest" | "pinned" | "asked" | "configured" | "agent";
}

export function chooseDelivery(request: DeliveryRequest): DeliveryChoice {
  if (request.byDigest) return { delivery: "redirect", why: "digest" };
  if (request.isPinned) return { delivery: "redirect", why: "pinned" };
  const { override, configured } = request;
  if (override === "urls" || override === "redirect") return { delivery: override, why: "asked" };
  if (configured !== "auto" && override !== "auto") return { delivery: configured, why: "configured" };
  return { delivery: agentOf(request.userAgent).handles, why: "agent" };
}

/** The delivery that is configured for a repository: of the first list of globs that names it, else the common one. */
export function configuredDelivery(
  config: {
    readonly delivery: Delivery;
    readonly deliveries: readonly { readonly repositories: readonly string[]; readonly delivery: Delivery }[];
  },
  repository: Repository,
): Delivery {
  const own = config.deliveries.find(({ repositories }) => repositories.some((glob) => matchesGlob(repository, glob)));
  return own?.delivery ?? config.delivery;
}
