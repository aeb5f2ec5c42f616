import { NearlayerError } from "../errors.ts";

/** Where the tree is published to: an rsync daemon's module, a folder over ssh, or a folder on this machine. */
export interface Target {
  readonly kind: "daemon" | "ssh" | "local";
  /** As rsync takes it, always with a slash at its end. */
  readonly destination: string;
}

// Only what cannot mean anything to a shell or to rsync's own options: a destination is handed to rsync as one
// argument, never to a shell, but ssh gives the path to one at the other end.
const PATH = "[A-Za-z0-9._/@+=,~-]*";
const HOST = "(?:[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])";
const USER = "(?:[A-Za-z0-9._-]+@)?";
const DAEMON = new RegExp(`^rsync://${USER}${HOST}(?::\\d{1,5})?/[A-Za-z0-9._-]+/${PATH}$`);
const LISTING = new RegExp(`^rsync://${HOST}(?::\\d{1,5})?/[A-Za-z0-9._-]+/${PATH}$`);
const DAEMON_SHORT = new RegExp(`^${USER}${HOST}::[A-Za-z0-9._-]+(?:/${PATH})?$`);
const SSH = new RegExp(`^${USER}${HOST}:(?!//)${PATH}$`);
const LOCAL = new RegExp(`^\\.?/(?!/)${PATH}[A-Za-z0-9_-]/$`);

/** Throws CONFIG_INVALID when the text is not a destination that we would give to rsync. */
export function parseTarget(text: string): Target {
  const destination = text.endsWith("/") ? text : `${text}/`;
  if (!text.startsWith("-") && !text.split("/").includes("..")) {
    if (DAEMON.test(destination) || DAEMON_SHORT.test(destination)) return { kind: "daemon", destination };
    if (LOCAL.test(destination)) return { kind: "local", destination };
    if (SSH.test(destination)) return { kind: "ssh", destination };
  }
  throw new NearlayerError("CONFIG_INVALID", `not a destination for rsync: ${JSON.stringify(text.slice(0, 200))}`, {
    hint: "use rsync://host/module/, host::module/, user@host:/folder/ or /folder/, without spaces or shell characters",
  });
}

/** A daemon's module whose tree is listed. Throws CONFIG_INVALID when the text is not one that we would give to rsync. */
export function parseListingSource(text: string): string {
  const source = text.endsWith("/") ? text : `${text}/`;
  if (text.length <= 500 && !source.split("/").includes("..") && LISTING.test(source)) return source;
  throw new NearlayerError("CONFIG_INVALID", `not a module of an rsync daemon: ${JSON.stringify(text.slice(0, 200))}`, {
    hint: "use rsync://host/module/, without user, spaces or shell characters",
  });
}
