import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type RunOptions, type RunResult, run } from "../process/run.ts";
import type { Client } from "./client.ts";

export interface SkopeoCopyOptions extends RunOptions {
  /** Every platform of an index, in place of one. */
  readonly all?: boolean;
  /** `linux/arm64` or `linux/arm/v7`; this machine's by default. */
  readonly platform?: string;
}

/** `skopeo copy`, over plain HTTP: source and destination are `docker://HOST/NAME:TAG`, `dir:PATH`, `oci:PATH:TAG`. */
export function skopeoCopy(source: string, destination: string, options: SkopeoCopyOptions = {}): Promise<RunResult> {
  const { all, platform, ...rest } = options;
  const [os, architecture, variant] = platform?.split("/") ?? [];
  const override = [
    ...(os ? [`--override-os=${os}`] : []),
    ...(architecture ? [`--override-arch=${architecture}`] : []),
    ...(variant ? [`--override-variant=${variant}`] : []),
  ];
  const plain = ["--src-tls-verify=false", "--dest-tls-verify=false", ...(all ? ["--all"] : [])];
  return run("skopeo", ["--insecure-policy", ...override, "copy", ...plain, source, destination], rest);
}

/** skopeo as a client that pulls: each image into a folder of its own. */
export async function skopeoClient(dir: string): Promise<Client & { readonly folder: (reference: string) => string }> {
  const images = join(dir, "images");
  const folder = (reference: string) => join(images, reference.replace(/[/:@]/g, "_"));
  return {
    name: "skopeo",
    folder,
    async pull(reference, options = {}) {
      await mkdir(folder(reference), { recursive: true });
      return skopeoCopy(`docker://${reference}`, `dir:${folder(reference)}`, options);
    },
    forget: () => rm(images, { recursive: true, force: true }),
    async [Symbol.asyncDispose]() {},
  };
}
