import { type Digest, digestOf, isDigest } from "@nearlayer/shared/digest";
import { messageOf, NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { MAX_MANIFEST_BYTES } from "@nearlayer/shared/manifest";
import { CARRIED_MANIFESTS } from "@nearlayer/shared/mediatype";
import type { Repository } from "@nearlayer/shared/reference";
import PQueue from "p-queue";
import { Agent, type Dispatcher, interceptors, request } from "undici";
import { readBounded } from "./body.ts";

/** How long a registry may take to begin its answer, and how long it may pause within one, in milliseconds. */
const PATIENCE_MS = 30_000;
const MAX_REDIRECTS = 5;
/** The largest listing page or error document that is read, in bytes. */
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

/** A manifest as a registry answered it; `digest` is of these very bytes. */
export interface FetchedManifest {
  readonly digest: Digest;
  readonly contentType: string | undefined;
  readonly bytes: Uint8Array;
}

/** A page of a listing, and where the next one is. */
export interface Page {
  readonly document: unknown;
  readonly next: string | undefined;
}

/** The body of a blob from `offset` on. A registry that does not know Range starts at 0 again. */
export interface BlobBody {
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Reads from one registry, never writes. All requests share one limit of concurrency. */
export interface RegistryClient {
  readonly url: string;
  /** A page of `_catalog` or `tags/list`; `path` is relative to the registry's URL. */
  getPage(path: string): Promise<Page>;
  /** The manifest, or undefined when it is still the one with digest `known` (the registry answers 304). */
  getManifest(repository: Repository, reference: string, known?: Digest): Promise<FetchedManifest | undefined>;
  /** Hands the body of a blob to `consume`, holding one of the client's slots until that ends. */
  readBlob<T>(
    repository: Repository,
    digest: Digest,
    offset: number,
    consume: (blob: BlobBody) => Promise<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

/** `url` is the registry's root, without a slash at its end; `concurrency` counts requests under way. */
export function createRegistryClient(url: string, concurrency: number): RegistryClient {
  const agent = new Agent({ connections: concurrency, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }));
  const queue = new PQueue({ concurrency });

  async function get(path: string, headers: Record<string, string>): Promise<Dispatcher.ResponseData> {
    const target = new URL(path, `${url}/`);
    try {
      return await request(target, { dispatcher, headers });
    } catch (cause) {
      const reason = systemCode(cause) ?? messageOf(cause);
      throw new NearlayerError("SOURCE_UNREACHABLE", `registry ${url} does not answer: ${reason}`, {
        cause,
        hint: "check source.url in the configuration, and that the registry runs",
      });
    }
  }

  async function refuse(response: Dispatcher.ResponseData, what: string): Promise<never> {
    const text = await readBounded(response.body, 4096, what).then(
      (bytes) => Buffer.from(bytes).toString("utf8"),
      () => "",
    );
    const detail = /"message"\s*:\s*"([^"]{1,200})"/.exec(text)?.[1];
    const status = `${response.statusCode}${detail === undefined ? "" : ` (${detail})`}`;
    throw response.statusCode === 404
      ? new NearlayerError("NOT_FOUND", `${what} is not in registry ${url}: ${status}`)
      : new NearlayerError("SOURCE_REFUSED", `registry ${url} answers ${status} to ${what}`);
  }

  return {
    url,

    getPage: (path) =>
      queue.add(async () => {
        const response = await get(path, { accept: "application/json" });
        if (response.statusCode !== 200) return refuse(response, path);
        const bytes = await readBounded(response.body, MAX_DOCUMENT_BYTES, path);
        return { document: parseJson(bytes, `${url}/${path}`), next: nextLink(response.headers.link, url, path) };
      }),

    getManifest: (repository, reference, known) =>
      queue.add(async () => {
        const what = `${repository}${isDigest(reference) ? "@" : ":"}${reference}`;
        const response = await get(`v2/${repository}/manifests/${reference}`, {
          accept: CARRIED_MANIFESTS.join(", "),
          ...(known === undefined ? {} : { "if-none-match": `"${known}"` }),
        });
        if (response.statusCode === 304 && known !== undefined) {
          await response.body.dump();
          return undefined;
        }
        if (response.statusCode !== 200) return refuse(response, what);
        const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES, what);
        return checkManifest(bytes, reference, response.headers, what);
      }),

    readBlob: (repository, digest, offset, consume) =>
      queue.add(async () => {
        const what = `${repository}@${digest}`;
        const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
        // A content encoding would change the bytes that the digest names.
        const response = await get(`v2/${repository}/blobs/${digest}`, { ...headers, "accept-encoding": "identity" });
        if (response.statusCode === 200) return consume({ offset: 0, body: response.body });
        const begins = /^bytes (\d+)-/.exec(String(response.headers["content-range"] ?? ""))?.[1];
        if (response.statusCode === 206 && Number(begins) === offset) return consume({ offset, body: response.body });
        return refuse(response, what);
      }),

    close: async () => {
      queue.clear();
      await agent.destroy();
    },
  };
}

function checkManifest(
  bytes: Uint8Array,
  reference: string,
  headers: Dispatcher.ResponseData["headers"],
  what: string,
): FetchedManifest {
  const digest = digestOf(bytes);
  const claimed = headers["docker-content-digest"];
  // Asked for by digest, the bytes must be those; asked for by tag, they must be what the registry says they are.
  const wanted = isDigest(reference) ? reference : typeof claimed === "string" && isDigest(claimed) ? claimed : digest;
  if (wanted !== digest) {
    throw new NearlayerError("DIGEST_MISMATCH", `manifest ${what}: the registry sent ${digest}, not ${wanted}`);
  }
  const contentType = headers["content-type"];
  return { digest, bytes, contentType: typeof contentType === "string" ? contentType : undefined };
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new NearlayerError("SOURCE_REFUSED", `${what} did not answer JSON: ${messageOf(cause)}`, {
      cause,
      hint: "is source.url a registry?",
    });
  }
}

/** The target of `Link: <…>; rel="next"` (RFC 8288), absolute, and only on the registry itself. */
function nextLink(header: string | string[] | undefined, url: string, path: string): string | undefined {
  const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(String(header ?? ""))?.[1];
  if (link === undefined) return undefined;
  const target = URL.parse(link, new URL(path, `${url}/`).href);
  if (target === null || target.host !== new URL(url).host) {
    throw new NearlayerError("SOURCE_REFUSED", `registry ${url} links its next page elsewhere: ${link.slice(0, 200)}`);
  }
  return target.href;
}
