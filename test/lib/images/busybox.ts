import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runOk } from "../process/run.ts";

/** Debian's names of the architectures that test images are built for; they are Go's as well. */
export type Architecture = "amd64" | "arm64";

const cache = resolve(import.meta.dirname, "../../../.cache/busybox-static");

/** The bytes of Debian's busybox-static for an architecture: one program that is a shell and 260 commands. */
export async function busybox(architecture: Architecture): Promise<Buffer> {
  const file = join(cache, architecture);
  return readFile(file).catch(async () => {
    await mkdir(cache, { recursive: true });
    const work = await mkdtemp(join(cache, "fetch-"));
    try {
      await rename(await fetchBusybox(architecture, work), file);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return readFile(file);
  });
}

/** Fetches the package with lists and folders of its own: the system's apt and its architectures stay as they are. */
async function fetchBusybox(architecture: Architecture, work: string): Promise<string> {
  for (const folder of ["state/lists/partial", "cache/archives/partial", "root"]) {
    await mkdir(join(work, folder), { recursive: true });
  }
  await writeFile(join(work, "status"), "");
  const settings = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `APT::Sandbox::User=${process.getuid?.() === 0 ? "root" : ""}`,
    `Dir::State=${work}/state`,
    `Dir::State::status=${work}/status`,
    `Dir::Cache=${work}/cache`,
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
  ].flatMap((setting) => ["-o", setting]);
  const aptGet = (...args: string[]) => runOk("apt-get", ["-q", ...settings, ...args], { cwd: work, timeout: 120_000 });
  await aptGet("update");
  await aptGet("download", "busybox-static");
  const deb = (await readdir(work)).find((name) => name.endsWith(".deb"));
  if (deb === undefined) throw new Error(`apt-get download busybox-static left no .deb for ${architecture}`);
  await runOk("dpkg-deb", ["--extract", join(work, deb), join(work, "root")]);
  const folders = ["bin/busybox", "usr/bin/busybox"].map((path) => join(work, "root", path));
  for (const path of folders) {
    if (
      await readFile(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(`${deb} has no busybox`);
}
