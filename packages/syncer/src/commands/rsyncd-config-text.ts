import type { Platform } from "@nearlayer/shared/platform";
import { STATE_DIR } from "@nearlayer/shared/tree";

/** What an rsyncd.conf for a master is made of. Everything in it was checked: nothing here is escaped. */
export interface RsyncdSettings {
  /** The folder that is exported: what `pub/` holds. */
  readonly path: string;
  /** The module with everything in it. */
  readonly moduleName: string;
  /** Each gets a module of its own name. */
  readonly platforms: readonly Platform[];
  /** The folder that opt-ins are uploaded to; without it, there is no such module. */
  readonly optin?: string | undefined;
  readonly address?: string | undefined;
  readonly port: number;
  /** Whom the daemon reads as, and whom it writes uploads as. */
  readonly user: string;
  readonly group: string;
  readonly optinUser: string;
  /** How many mirrors may be connected at a time, to all modules that are read. */
  readonly maxConnections: number;
  /** Where rsync counts the connections. */
  readonly lockFolder: string;
  /** Only root can start a daemon that does. */
  readonly chroot: boolean;
}

/** The module that opt-ins are uploaded to. */
export const OPTIN_MODULE = "optin";

/** The largest file that can be uploaded, in bytes. */
const MAX_UPLOAD_BYTES = 65_536;
/** How many files may wait in the folder for uploads before no more are taken. */
const MAX_UPLOADS_WAITING = 1000;

/**
 * Options of a client that cost the master more than the transfer: `--checksum` reads the whole tree. The others make it
 * follow symbolic links; there are none in the tree, and should one get in, it leads nowhere.
 */
const REFUSED = "checksum copy-links copy-dirlinks copy-unsafe-links copy-devices";

/**
 * A whole rsyncd.conf (man rsyncd.conf, rsync 3.2.7 and newer). Every module of a platform has the same root as the one
 * with everything, and shows its own part by a filter: names on a mirror are the same whichever module it took, state and
 * blobs come through one module, and `--files-from` works, which it does not below the root of a module.
 */
export function formatRsyncdConfig(settings: RsyncdSettings): string {
  const { moduleName, platforms, optin } = settings;
  const everything = section(moduleName, [
    "comment = all platforms",
    ...readOnly(settings),
    // What an rsync that is just writing here has not named yet.
    "exclude = .*",
  ]);
  const single = platforms.map((platform) => {
    const shown = `+ /${platform}/*** + /${STATE_DIR}/ + /${STATE_DIR}/${platform}/***`;
    return section(platform, [`comment = ${platform} alone`, ...readOnly(settings), `filter = - .* ${shown} - *`]);
  });
  return [
    header(settings),
    everything,
    ...single,
    ...(optin === undefined ? [] : [section(OPTIN_MODULE, writeOnly(settings, optin))]),
  ].join("\n");
}

function header({ address, port, user, group, maxConnections, lockFolder, chroot }: RsyncdSettings): string {
  return lines([
    "# rsyncd.conf of a Nearlayer master, made by `syncer rsyncd-config`. Make it anew when a platform is added;",
    "# the daemon reads it at each connection.",
    ...(address === undefined ? [] : [`address = ${address}`]),
    `port = ${port}`,
    `uid = ${user}`,
    `gid = ${group}`,
    `use chroot = ${chroot ? "yes" : "no"}`,
    ...(chroot ? [] : ["munge symlinks = yes"]),
    "numeric ids = yes",
    "# A name server that is slow must not be felt by mirrors.",
    "reverse lookup = no",
    "forward lookup = no",
    "max verbosity = 1",
    "# Seconds without a byte, after which a mirror is hung up on.",
    "timeout = 600",
    `max connections = ${maxConnections}`,
    `lock file = ${lockFolder}/nearlayer-rsyncd.lock`,
  ]);
}

function readOnly({ path }: RsyncdSettings): string[] {
  return [
    `path = ${path}`,
    "read only = yes",
    "list = yes",
    // Layers are compressed already.
    "dont compress = *",
    `refuse options = ${REFUSED}`,
  ];
}

/**
 * Files of the names that opt-ins have, and nothing else: no links, no deletion, nothing can be read or listed. (The filter
 * has no rule against folders of such a name: rsync would hold it against the name that a file is uploaded under. All that
 * comes of it is an empty folder.)
 * rsync knows no largest size for what it is sent; the kernel does, and `early exec` is run for each connection while the
 * daemon is still root. Without prlimit, which is in Debian's util-linux, nothing is taken.
 */
function writeOnly({ optinUser, group, lockFolder }: RsyncdSettings, folder: string): string[] {
  const isRoom = `test "$(ls -f '${folder}' | head -n ${MAX_UPLOADS_WAITING + 2} | wc -l)" -le ${MAX_UPLOADS_WAITING + 1}`;
  return [
    "comment = opt in, opt out and check in",
    `path = ${folder}`,
    `uid = ${optinUser}`,
    `gid = ${group}`,
    "read only = no",
    "write only = yes",
    "list = no",
    "incoming chmod = F0600",
    "filter = + /[a-z0-9]*.yaml + /[a-z0-9]*.checkin - *",
    "refuse options = * !times !perms !verbose !quiet !timeout !partial",
    `early exec = ${isRoom} && exec prlimit --pid "$RSYNC_PID" --fsize=${MAX_UPLOAD_BYTES}`,
    "timeout = 60",
    // Counted apart: mirrors that pull do not keep others from opting in.
    "max connections = 4",
    `lock file = ${lockFolder}/nearlayer-rsyncd-optin.lock`,
  ];
}

const lines = (text: readonly string[]) => `${text.join("\n")}\n`;
const section = (name: string, settings: readonly string[]) =>
  lines([`[${name}]`, ...settings.map((line) => `  ${line}`)]);
