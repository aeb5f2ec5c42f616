import { createHash } from "node:crypto";
import { access, mkdir, rename, rm, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runOk } from "../process/run.ts";

/** What a freshly installed server has, and no more: the playbooks install the rest. */
const PACKAGES = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "python3",
  "python3-apt",
  "iproute2",
  "openssh-server",
  "ca-certificates",
];

/** The root of a fresh Debian, made once and kept beside other caches. Nothing is ever written to it again. */
export async function debianBase(): Promise<string> {
  const name = createHash("sha256").update(PACKAGES.join()).digest("hex").slice(0, 12);
  const folder = resolve(import.meta.dirname, `../../../.cache/hosts/bookworm-${name}`);
  if (await exists(folder)) return folder;
  const part = `${folder}.${process.pid}`;
  await mkdir(part, { recursive: true });
  try {
    const include = `--include=${PACKAGES.join(",")}`;
    await runOk("mmdebstrap", ["--variant=minbase", include, "bookworm", part], { timeout: 600_000 });
    // mmdebstrap takes the lists away: apt must not think them fresh.
    await utimes(join(part, "var/lib/apt/lists"), 0, 0);
    await rename(part, folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return folder;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
