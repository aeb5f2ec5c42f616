import { setImmediate } from "node:timers/promises";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { countStored, type StoredBlob, storedBlobs, storedBlobsOf } from "@nearlayer/shared/catalog/stored";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import type { Platform } from "@nearlayer/shared/platform";
import { openSource } from "../source/open.ts";
import type { Source } from "../source/source.ts";
import { type InspectOptions, inspectBlob } from "../verify/blob.ts";
import type { Finding } from "../verify/finding.ts";
import { findForeign, findSpoiltStrays } from "../verify/foreign.ts";
import { type GetSource, removeForeign, repairBlob, repairState } from "../verify/repair.ts";
import { inspectState, type StateContext } from "../verify/state.ts";
import { readSigner, type StoreContext, withStore } from "./context.ts";
import { type Run, UNATTENDED } from "./run.ts";

export interface VerifyOptions {
  /** Sizes, modes, times and links only: no bytes are read. */
  readonly quick?: boolean;
  /** Remove what is wrong, and bring it back from the source. */
  readonly repair?: boolean;
}

/** Something that was wrong, and whether it is still. */
export interface VerifyItem extends Finding {
  readonly repaired: boolean;
  /** Why it could not be repaired. */
  readonly error?: string;
}

export interface VerifyResult {
  readonly quick: boolean;
  /** How many blobs were looked at, and how many bytes were read. */
  readonly checked: { readonly blobs: number; readonly bytes: number };
  readonly items: readonly VerifyItem[];
  /** How many of the items are still wrong. */
  readonly wrong: number;
}

/** How many blobs are looked at side by side: reading one while another is hashed is all there is to gain. */
const AT_ONCE = 4;
const PAGE = 250;

/**
 * Holds the store and the tree against the catalog. That can take hours, and is done without the store's lock; what it
 * finds is looked at once more with it, so that nothing is told that a sync was only just doing.
 */
export async function verify(
  config: Config,
  options: VerifyOptions = {},
  run: Run = UNATTENDED,
): Promise<VerifyResult> {
  const { quick = false, repair = false } = options;
  const checked = { blobs: 0, bytes: 0 };
  const suspects = await findSuspects(config, quick, run, checked);
  if (suspects.length === 0) return { quick, checked, items: [], wrong: 0 };

  const work = async (context: StoreContext) => {
    run.progress.phase(repair ? "repairing" : "looking again");
    const { signal } = context.run;
    const found = await lookAgain(context, suspects, { quick, signal });
    const items = repair
      ? await repairAll(config, context, found, { quick, signal })
      : found.map((finding) => ({ ...finding, repaired: false }));
    return { quick, checked, items, wrong: items.filter(({ repaired }) => !repaired).length };
  };
  return withStore(config, "syncer verify", work, run, repair ? "store and tree" : "store");
}

async function findSuspects(
  config: Config,
  quick: boolean,
  { progress, signal }: Run,
  checked: { blobs: number; bytes: number },
): Promise<Finding[]> {
  const catalog = await openCatalog(config.catalog);
  const { root } = config;
  const findings: Finding[] = [];
  const inspect = async (blob: StoredBlob) => {
    signal.throwIfAborted();
    const transfer = quick ? undefined : progress.begin(blob.digest, blob.size);
    let read = 0;
    const onBytes = (bytes: number) => {
      read += bytes;
      transfer?.at(read);
    };
    try {
      findings.push(...(await inspectBlob(root, blob, { quick, onBytes, signal })));
    } finally {
      transfer?.end();
    }
    checked.blobs += 1;
    checked.bytes += read;
  };
  try {
    progress.phase("reading the store");
    const total = await countStored(catalog);
    if (!quick) progress.expect(total.blobs, total.bytes);
    for await (const page of storedBlobs(catalog, PAGE)) {
      await forEachOf(page, inspect);
      await breathe();
    }
    progress.phase("reading the tree");
    const onBytes = (bytes: number) => {
      checked.bytes += bytes;
    };
    findings.push(...(await findBesides({ catalog, root, signer: readSigner(config) }, { quick, onBytes, signal })));
  } finally {
    await catalog.destroy();
  }
  return findings;
}

/** Does something for each of these, a few at a time; what fails ends the rest. */
async function forEachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** Lets signals and the progress have their turn: neither a look at a name nor a query of SQLite's does. */
const breathe = () => setImmediate();

async function findBesides(context: StateContext, options: InspectOptions): Promise<Finding[]> {
  const { catalog, root } = context;
  const { signal } = options;
  const spoilt = await Array.fromAsync(findSpoiltStrays(catalog, root, options));
  const foreign = await Array.fromAsync(findForeign(catalog, root, signal));
  signal?.throwIfAborted();
  return [...spoilt, ...foreign, ...(await Array.fromAsync(inspectState(context, signal)))];
}

const digestsOf = (findings: readonly Finding[]): Digest[] => [
  ...new Set(findings.flatMap(({ digest }) => (digest === undefined ? [] : [digest]))),
];

async function lookAgain(
  context: StoreContext,
  suspects: readonly Finding[],
  options: InspectOptions,
): Promise<Finding[]> {
  const blobs = await storedBlobsOf(context.catalog, digestsOf(suspects));
  const findings: Finding[] = [];
  for (const blob of blobs) {
    options.signal?.throwIfAborted();
    findings.push(...(await inspectBlob(context.root, blob, options)));
  }
  const besides = suspects.some(({ digest }) => digest === undefined);
  return besides ? [...findings, ...(await findBesides(context, options))] : findings;
}

async function repairAll(
  config: Config,
  context: StoreContext,
  findings: readonly Finding[],
  options: InspectOptions,
): Promise<VerifyItem[]> {
  await using sources = new AsyncDisposableStack();
  const errors = new Map<Finding, string>();
  const attempt = async (concerned: readonly Finding[], work: () => Promise<void>) => {
    context.run.signal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      context.run.signal.throwIfAborted();
      for (const finding of concerned) errors.set(finding, messageOf(error));
    }
  };
  const getSource = openOnce(config, sources, context.run.signal);
  for (const blob of await storedBlobsOf(context.catalog, digestsOf(findings))) {
    const concerned = findings.filter(({ digest }) => digest === blob.digest);
    await attempt(concerned, () => repairBlob(context, getSource, blob));
  }
  const besides = findings.filter(({ digest }) => digest === undefined);
  const useless = besides.filter(({ fault }) => fault !== "state");
  for (const [finding, error] of await removeForeign(context.root, useless)) errors.set(finding, error);
  for (const [platform, concerned] of Map.groupBy(besides, (finding) => finding.platform)) {
    if (platform !== undefined) await attempt(concerned, () => repairState(context, platform as Platform, concerned));
  }
  const left = new Set((await lookAgain(context, findings, options)).map(keyOf));
  return findings.map((finding) => {
    const error = errors.get(finding);
    return { ...finding, repaired: !left.has(keyOf(finding)), ...(error === undefined ? {} : { error }) };
  });
}

const keyOf = ({ path }: Finding): string => path;

/** The source is opened when it is first needed, and closed at the end, or as soon as the signal says so. */
function openOnce({ source }: Config, sources: AsyncDisposableStack, signal: AbortSignal): GetSource {
  let opened: Promise<Source> | undefined;
  return () => {
    if (source === undefined) {
      throw new NearlayerError("CONFIG_INVALID", "source.url is missing: where is it to be fetched from?");
    }
    opened ??= openSource(source).then((given) => {
      signal.addEventListener("abort", () => void given.close(), { once: true });
      return sources.adopt(given, () => given.close());
    });
    return opened;
  };
}
