import type { Config, SourceConfig } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { openSource } from "../source/open.ts";
import type { Source } from "../source/source.ts";
import type { Run } from "./run.ts";

/** The source of the configuration. Throws CONFIG_INVALID where it names none. */
export function requireSource({ source }: Config): SourceConfig {
  if (source) return source;
  throw new NearlayerError("CONFIG_INVALID", "source.url is missing: which registry is to be synced?", {
    hint: "add `source: {url: http://127.0.0.1:5001}`, or source.storage, to the configuration",
  });
}

/** Works with the source, which is closed afterwards, and as soon as the run is interrupted. */
export async function withSource<T>(
  settings: SourceConfig,
  { signal }: Run,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const source = await openSource(settings);
  // What is under way then fails, in order.
  const close = () => void source.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    return await work(source);
  } finally {
    signal.removeEventListener("abort", close);
    await source.close();
  }
}
