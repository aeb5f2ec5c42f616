import { type Digest, isDigest } from "@nearlayer/shared/digest";
import { isRepository, isTag, type Repository } from "@nearlayer/shared/reference";
import retry from "p-retry";
import type { CatalogListing, Source } from "../source.ts";
import { createAuthorizer } from "./auth/authorizer.ts";
import type { FindCredentials } from "./auth/credentials.ts";
import { isTransient, RequestError } from "./errors.ts";
import { collectNames, PAGE_SIZE, type Page } from "./listing.ts";
import { ACCEPT_MANIFESTS, claimedDigest, readManifest } from "./manifests.ts";
import { createPace } from "./pace.ts";
import { collectReferrers } from "./referrers.ts";
import { askAs, readJson, refusal } from "./request.ts";
import { type Answer, type Ask, createTransport, headerOf } from "./transport.ts";

/** Waits between attempts, in milliseconds: the first, doubled each time and up to doubled again by chance. */
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;

export interface RegistryOptions {
  /** The registry's root, without a slash at its end. */
  readonly url: string;
  /** Requests under way at once, redirects and token servers included. */
  readonly concurrency: number;
  /** Milliseconds; see the configuration. */
  readonly timeout: number;
  /** Bytes per second; see the configuration. */
  readonly minSpeed: number;
  readonly retries: number;
  readonly check: "get" | "head";
  readonly authorities: string | undefined;
  readonly credentials: FindCredentials;
}

/** A registry over HTTP (OCI distribution-spec, pull). Every request has a slot, a scope and its retries. */
export function createRegistrySource(options: RegistryOptions): Source {
  const { url: name, retries, check } = options;
  const abort = new AbortController();
  const { signal } = abort;
  const pace = createPace(options.concurrency, signal);
  const transport = createTransport({ ...options, name, pace, signal });
  const authorizer = createAuthorizer(new URL(name), transport, options.credentials);
  const urlOf = (path: string) => new URL(`${name}/v2/${path}`);

  const withRetries = <T>(work: () => Promise<T>): Promise<T> =>
    retry(work, {
      retries,
      minTimeout: FIRST_WAIT_MS,
      maxTimeout: MAX_WAIT_MS,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => isTransient(error),
    });
  const request = <T>(work: () => Promise<T>): Promise<T> => withRetries(() => pace.run(work));
  const ask = (
    repository: Repository,
    url: URL,
    headers: Record<string, string>,
    method?: Ask["method"],
  ): Promise<Answer> =>
    askAs(authorizer, transport, pullScope(repository), { url, headers, ...(method && { method }) });

  const getPage = (scope: string, url: URL): Promise<Page> =>
    request(async () => {
      const answer = await askAs(authorizer, transport, scope, { url, headers: { accept: "application/json" } });
      if (answer.statusCode !== 200) throw await refusal(answer, `${url.pathname}${url.search}`, name);
      return { document: await readJson(answer, url.href), link: headerOf(answer.headers, "link") };
    });

  /** The first answer to a question about referrers tells for all. */
  let hasReferrers: Promise<boolean> | undefined;
  const readReferrers = (repository: Repository, digest: Digest) =>
    collectReferrers(urlOf(`${repository}/referrers/${digest}`), (url) =>
      getPage(pullScope(repository), url).catch(withoutApi),
    );

  return {
    name,
    withRetries,

    listRepositories: async (): Promise<CatalogListing> => {
      const url = urlOf(`_catalog?n=${PAGE_SIZE}`);
      try {
        return {
          repositories: await collectNames(url, "repositories", isRepository, (page) => getPage(CATALOG, page)),
        };
      } catch (error) {
        if (!(error instanceof RequestError) || !NO_CATALOG.has(error.status ?? 0)) throw error;
        return { repositories: undefined, reason: error.message };
      }
    },

    listTags: (repository) =>
      collectNames(urlOf(`${repository}/tags/list?n=${PAGE_SIZE}`), "tags", isTag, (page) =>
        getPage(pullScope(repository), page),
      ),

    async getManifest(repository, reference, known) {
      const url = urlOf(`${repository}/manifests/${reference}`);
      const what = `${repository}${isDigest(reference) ? "@" : ":"}${reference}`;
      const headers = { accept: ACCEPT_MANIFESTS };
      return request(async () => {
        if (known !== undefined && check === "head") {
          const head = await ask(repository, url, headers, "HEAD");
          await head.dump();
          if (claimedDigest(head) === known) return undefined;
        }
        const condition = known === undefined ? {} : { "if-none-match": `"${known}"` };
        const answer = await ask(repository, url, { ...headers, ...condition });
        if (answer.statusCode === 304 && known !== undefined) {
          await answer.dump();
          return undefined;
        }
        if (answer.statusCode !== 200) throw await refusal(answer, what, name);
        return readManifest(answer, reference, what);
      });
    },

    async getReferrers(repository, digest) {
      if (hasReferrers !== undefined) {
        return (await hasReferrers) ? readReferrers(repository, digest) : undefined;
      }
      const first = readReferrers(repository, digest);
      hasReferrers = first.then(
        (found) => found !== undefined,
        () => {
          // That told nothing: the next one asks anew.
          hasReferrers = undefined;
          return true;
        },
      );
      return first;
    },

    readBlob: (repository, digest, offset, consume) =>
      pace.run(async () => {
        const url = urlOf(`${repository}/blobs/${digest}`);
        // A content encoding would change the bytes that the digest names.
        const headers = { "accept-encoding": "identity" };
        const range = offset > 0 ? { range: `bytes=${offset}-` } : {};
        let answer = await ask(repository, url, { ...headers, ...range });
        if (answer.statusCode === 416 && offset > 0) {
          await answer.dump();
          answer = await ask(repository, url, headers);
        }
        const begins = beginOf(answer);
        if (begins !== 0 && begins !== offset) {
          throw await refusal(answer, `${repository}@${digest}`, name);
        }
        return consume({ offset: begins, pour: answer.pour });
      }),

    async close() {
      abort.abort(new Error(`the connection to ${name} was closed`));
      await transport.close();
    },
  };
}

/** distribution, docs/spec/auth/scope.md */
const CATALOG = "registry:catalog:*";
const pullScope = (repository: Repository) => `repository:${repository}:pull`;

/** How registries say that they list no repositories: not to us, or not at all. */
const NO_CATALOG = new Set([400, 401, 403, 404, 405, 501]);

/** The statuses by which registries say that they have no referrers API. */
function withoutApi(error: unknown): undefined {
  if (error instanceof RequestError && [400, 404, 405, 501].includes(error.status ?? 0)) return undefined;
  throw error;
}

/** Where in the blob the body of an answer begins, if it is a body of the blob at all. */
function beginOf({ statusCode, headers }: Answer): number | undefined {
  if (statusCode === 200) return 0;
  const begins = /^bytes (\d+)-/.exec(headerOf(headers, "content-range") ?? "")?.[1];
  return statusCode === 206 && begins !== undefined ? Number(begins) : undefined;
}
