import { unwatchFile, watchFile } from "node:fs";

/** How often the files are looked at, in milliseconds. */
const EVERY_MS = 500;

/**
 * Calls back when one of the files has changed, appeared or gone. They are looked at, not subscribed to: what renews
 * certificates swaps symbolic links in folders above.
 */
export function watchFiles(files: readonly string[], onChange: () => void): Disposable {
  const listener = () => onChange();
  for (const file of files) watchFile(file, { interval: EVERY_MS, persistent: false }, listener);
  return {
    [Symbol.dispose]() {
      for (const file of files) unwatchFile(file, listener);
    },
  };
}
