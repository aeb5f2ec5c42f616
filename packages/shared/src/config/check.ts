import { type ConfigMistake, formatMistake, readConfig, readConfigText } from "./load.ts";

/** What `check-config` of both programs tells. */
export interface ConfigCheck {
  readonly file: string;
  readonly ok: boolean;
  readonly mistakes: readonly ConfigMistake[];
}

/**
 * Checks a configuration file as both programs do at their start, and touches nothing that it names: neither catalog nor
 * keys need to be there yet. Throws CONFIG_INVALID when the file itself cannot be read.
 */
export function checkConfig(file: string): ConfigCheck {
  const { mistakes } = readConfig(readConfigText(file), file);
  return { file, ok: mistakes.length === 0, mistakes };
}

/** The check for people: a line for each mistake, `FILE:LINE: KEY: REASON`. */
export function summarizeConfigCheck({ file, mistakes }: ConfigCheck): string {
  if (mistakes.length === 0) return `${file}: all well`;
  return mistakes.map(formatMistake).join("\n");
}
