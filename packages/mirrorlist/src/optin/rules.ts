import type { Config } from "@nearlayer/shared/config/schema";
import type { Rules } from "./limits.ts";

/** What holds for those who opt in here. */
export function rulesOf({ optin, mirrorlist }: Pick<Config, "optin" | "mirrorlist">): Rules {
  const { publicUrl } = mirrorlist;
  const { allowPrivateAddress } = optin;
  return { allowPrivateAddress, ...(publicUrl === undefined ? {} : { ownHost: new URL(publicUrl).hostname }) };
}
