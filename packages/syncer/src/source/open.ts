import type { SourceConfig } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { createCredentials } from "./registry/auth/credentials.ts";
import { createRegistrySource } from "./registry/registry.ts";
import { readAuthorities } from "./registry/transport.ts";
import type { Source } from "./source.ts";
import { openStorage } from "./storage/storage.ts";

/** Opens the source that the configuration names: the storage where there is one, the registry otherwise. */
export async function openSource(config: SourceConfig): Promise<Source> {
  const { url, storage, ca } = config;
  if (storage !== undefined) return openStorage(storage, config.concurrency);
  if (url === undefined) throw new NearlayerError("CONFIG_INVALID", "neither source.url nor source.storage is given");
  return createRegistrySource({
    ...config,
    url,
    credentials: createCredentials(config),
    authorities: ca === undefined ? undefined : readAuthorities(ca),
  });
}
