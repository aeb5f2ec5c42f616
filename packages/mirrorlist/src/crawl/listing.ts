import { spawn } from "node:child_process";
import { isIP } from "node:net";
import type { CarriedBlob } from "@nearlayer/shared/catalog/carried";
import { type Hex, hexOf, isHex } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";
import { isPublicAddress, PrivateAddressError } from "../mirrors/agent.ts";
import { createResolve } from "../mirrors/resolve.ts";

/** The sizes of files by their names' hex, as rsync lists them, or why there is no listing. */
export type Listing = { readonly files: ReadonlyMap<Hex, number> } | { readonly failure: string };

export interface ListingOptions {
  readonly allowPrivateAddress: boolean;
  readonly timeoutMs: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** A 256th part of a million blobs is 4,000 lines of 120 bytes. */
const MAX_BYTES = 8 * 1024 * 1024;
/** rsync's own codes: https://download.samba.org/pub/rsync/rsync.1 (EXIT VALUES). */
const PARTIAL = 23;

/**
 * Lists the blobs of a platform whose hex begins with two digits: `rsync --list-only`, without a shell, within time and
 * bytes. `source` is a checked `rsync://host/module/`. Never throws.
 */
export async function listBlobs(
  source: string,
  platform: Platform,
  prefix: string,
  options: ListingOptions,
): Promise<Listing> {
  try {
    const address = await addressed(source, options.allowPrivateAddress);
    return await runListing(`${address}${platform}/blobs/sha256/${prefix}/`, options);
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

const resolve = createResolve();

/** The same source by the address that was checked, so that rsync does not look the name up once more. */
async function addressed(source: string, allowPrivateAddress: boolean): Promise<string> {
  if (allowPrivateAddress) return source;
  const url = new URL(source);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const found = isIP(host) === 0 ? await resolve(host) : [{ address: host }];
  const address = found.map((one) => one.address).find(isPublicAddress);
  if (address === undefined) throw new PrivateAddressError(host);
  const port = url.port === "" ? "" : `:${url.port}`;
  return `rsync://${address.includes(":") ? `[${address}]` : address}${port}${url.pathname}`;
}

function runListing(source: string, { timeoutMs, maxBytes = MAX_BYTES, signal }: ListingOptions): Promise<Listing> {
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 2000)));
  const args = ["--list-only", "--no-motd", "--no-human-readable", `--timeout=${seconds}`, `--contimeout=${seconds}`];
  return new Promise((resolve) => {
    // Nothing of our environment: RSYNC_* would change what it does.
    const child = spawn("rsync", [...args, "--", source], {
      env: { PATH: process.env.PATH ?? "", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    let [size, stderr, failure] = [0, "", ""];
    const end = (why: string) => {
      failure ||= why;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => end("rsync takes too long"), timeoutMs);
    const onAbort = () => end("interrupted");
    signal?.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) end(`its listing is larger than ${maxBytes} bytes`);
      else chunks.push(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < 2000) stderr += text;
    });
    child.on("error", (error) => {
      failure ||= "code" in error && error.code === "ENOENT" ? "rsync is not installed here" : error.message;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      if (failure !== "") return resolve({ failure });
      // A folder that is not there is a listing too: an empty one.
      if (code !== 0 && code !== PARTIAL) {
        return resolve({ failure: `rsync ends with ${code}: ${stderr.trim().split("\n")[0]?.slice(0, 200) ?? ""}` });
      }
      resolve({ files: parseListing(Buffer.concat(chunks).toString("latin1")) });
    });
  });
}

/** `-r--r--r--          1234 2026/11/24 12:00:00 <hex>` */
const LINE = /^-\S+ +([\d,.]+) \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d ([0-9a-f]{64})$/;

function parseListing(text: string): Map<Hex, number> {
  const files = new Map<Hex, number>();
  for (const line of text.split("\n")) {
    const [, size = "", hex = ""] = LINE.exec(line) ?? [];
    if (isHex(hex)) files.set(hex, Number(size.replaceAll(/[,.]/g, "")));
  }
  return files;
}

/** What a listing does not have as the catalog has it. */
export function missingFrom(files: ReadonlyMap<Hex, number>, expected: readonly CarriedBlob[]): CarriedBlob[] {
  return expected.filter(({ digest, size }) => files.get(hexOf(digest)) !== size);
}
