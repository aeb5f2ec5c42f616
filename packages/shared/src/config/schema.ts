import { z } from "zod";
import { messageOf } from "../errors.ts";
import { isPlatform, type Platform } from "../platform.ts";
import { httpUrl, listen, listenOrNone } from "./address.ts";
import { crawler } from "./crawler.ts";
import { duration, UNITS } from "./duration.ts";
import { events } from "./events.ts";
import { optin } from "./optin.ts";
import { parseListingSource, parseTarget } from "./target.ts";

/**
 * The configuration, one file for both programs. Its keys are a contract: operators' files and playbooks rely on
 * them. Strict everywhere, so that a misspelt key is an error and not a silent default.
 */

const folderUrl = httpUrl.transform((text) => (text.endsWith("/") ? text : `${text}/`));

const platform = z.custom<Platform>((value) => typeof value === "string" && isPlatform(value), {
  error: "not a platform (linux-amd64, linux-arm-v7, noarch, …)",
});

const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: "not a netblock (192.0.2.0/24, 2001:db8::/32)" });

const target = z.string().transform((text, context) => {
  try {
    return parseTarget(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

const delivery = z.enum(["auto", "urls", "redirect"]);

const globs = z.array(z.string().min(1));

const source = z
  .strictObject({
    /** The root of the registry. Only where it says http is anything asked without TLS. */
    url: httpUrl.transform((text) => text.replace(/\/+$/, "")).optional(),
    /** The root folder of a distribution registry's file-system storage, read instead of asking over HTTP. */
    storage: z.string().min(1).optional(),
    repositories: globs.min(1).default(["**"]),
    exclude: globs.default([]),
    tags: globs.min(1).default(["**"]),
    excludeTags: globs.default([]),
    platforms: globs.min(1).default(["**"]),
    /** Tags that never move: once carried, they are not asked for again. */
    immutableTags: globs.default([]),
    /**
     * When the referrers API is asked, where the registry has it. `auto`: for every manifest of a changed image, and for
     * what an unchanged tag names; `always`: for every manifest, each time; `never`: only tags are carried.
     */
    referrers: z.enum(["auto", "always", "never"]).default("auto"),
    /** How a known tag is checked: `head` where a registry counts every GET as a pull. */
    check: z.enum(["get", "head"]).default("get"),
    concurrency: z.int().min(1).max(256).default(16),
    /** How long the registry may take to begin an answer, and how long it may pause within one. */
    timeout: duration.default(30_000),
    /** How many bytes per second a body must bring, over any minute; 0 lets a source drip for ever. */
    minSpeed: z.int().min(0).default(1000),
    /** How many times a request that failed in passing is made again. */
    retries: z.int().min(0).max(20).default(4),
    username: z.string().min(1).optional(),
    /** The file that holds the password; NEARLAYER_SOURCE_PASSWORD does it too. */
    passwordFile: z.string().min(1).optional(),
    /** Docker's config.json with credentials; by default the one of the user, if there is one. */
    dockerConfig: z.string().min(1).optional(),
    /** Certificates, PEM, that are believed beside the system's. */
    ca: z.string().min(1).optional(),
  })
  .refine(({ url, storage }) => url !== undefined || storage !== undefined, {
    error: "neither url nor storage: which registry is to be synced?",
  })
  .refine(({ username, passwordFile }) => username !== undefined || passwordFile === undefined, {
    path: ["passwordFile"],
    error: "a password without source.username",
  });

/** rsync cuts the ssh command at spaces, and ssh reads `%` as the start of a token. */
const sshPath = z.string().regex(/^[A-Za-z0-9._/@+=,~-]+$/, "a path without spaces and shell characters");

const publish = z.strictObject({
  targets: z.array(target).default([]),
  /** The Ed25519 key, PEM, that signs GENERATION; made by `syncer key generate`. Without it, it is not signed. */
  key: z.string().min(1).optional(),
  /** The name the key signs under, as signed notes want it; by custom a host name. */
  keyName: z
    .string()
    .regex(/^[^\s+]+$/, "no spaces and no plus signs")
    .default("nearlayer"),
  /** How many files one run may delete from a target; by default a tenth of the tree, and 1,000 at least. */
  maxDelete: z.int().min(0).optional(),
  /** After how long all of a target is compared with the tree again, and not what has changed alone. */
  fullEvery: duration.default(UNITS.d),
  /** The file with the password of rsync daemons; RSYNC_PASSWORD in the environment does it too. */
  passwordFile: z.string().min(1).optional(),
  /** How ssh targets are reached; what is not here is as ~/.ssh/config says. */
  ssh: z
    .strictObject({
      port: z.int().min(1).max(65_535).optional(),
      identityFile: sshPath.optional(),
      knownHostsFile: sshPath.optional(),
    })
    .default({}),
});

const removal = z.strictObject({
  /** How long what nothing needs any more stays in the store and on the mirrors. */
  grace: duration.default(7 * UNITS.d),
  /** What is never removed: globs of repositories, or REPOSITORIES:TAGS. */
  archive: globs.default([]),
  /** How long a download that nobody goes on with is kept. */
  abandonedDownloads: duration.default(3 * UNITS.d),
});

const geoip = z.strictObject({
  country: z.string().min(1).optional(),
  asn: z.string().min(1).optional(),
  city: z.string().min(1).optional(),
});

/** Bounds on what clients can hold of the mirror list without asking for anything. */
const limits = z.strictObject({
  /** Connections at a time; beyond it, the one that has been idle for longest is closed. */
  connections: z.int().min(1).max(1_000_000).default(10_000),
  /** How long a request's head may take to arrive, and how long all of it. */
  headersTimeout: duration.default(10_000),
  requestTimeout: duration.default(20_000),
  /** How long a connection is kept for a next request. Longer than a proxy in front keeps it, as a rule. */
  keepAliveTimeout: duration.default(65_000),
  /** How long a client may take nothing of an answer that is on its way. */
  stallTimeout: duration.default(120_000),
});

const mirrorlistKeys = z.strictObject({
  /** Where plain HTTP is answered. */
  listen: listenOrNone.default({ host: "127.0.0.1", port: 5000 }),
  /** Where TLS is answered, with the certificate of `tls`. */
  listenTls: listen.optional(),
  /** PEM files: the certificate with its chain, and its key. Read again whenever they change. */
  tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
  /** Where /metrics is answered; by default where everything is. */
  metrics: z.strictObject({ listen: listen.optional() }).default({}),
  limits: limits.prefault({}),
  /** After SIGTERM: how long /readyz says no before connections are refused, and how long answers may take to end. */
  drainDelay: duration.default(0),
  drainTimeout: duration.default(10_000),
  /** How much of a client's address the access log has: its /24 or /48, all, nothing. */
  logClientAddress: z.enum(["prefix", "full", "none"]).default("prefix"),
  delivery: delivery.default("auto"),
  /** Globs of repositories with a delivery of their own; the first that matches counts. */
  deliveries: z.array(z.strictObject({ repositories: z.array(z.string().min(1)).min(1), delivery })).default([]),
  /** Whose X-Forwarded-For is believed; by default a reverse proxy on this machine. */
  trustedProxies: z.array(cidr).default(["127.0.0.0/8", "::1/128"]),
  origin: z.union([z.literal("serve"), folderUrl], { error: "neither serve nor a URL" }).default("serve"),
  /** How clients reach the mirror list, for the URLs that it writes into manifests; else from Host and the proxies. */
  publicUrl: httpUrl.transform((text) => text.replace(/\/+$/, "")).optional(),
  geoip: geoip.default({}),
  /** Which mirrors clients are sent to: `prefer-https` puts https first within each rank. */
  scheme: z.enum(["any", "prefer-https", "https-only"]).default("any"),
});

const mirrorlist = mirrorlistKeys
  .refine(({ tls, listenTls }) => tls !== undefined || listenTls === undefined, {
    path: ["listenTls"],
    error: "TLS without a certificate: add mirrorlist.tls",
  })
  .refine(({ tls, listenTls }) => tls === undefined || listenTls !== undefined, {
    path: ["tls"],
    error: "a certificate that is not used: add mirrorlist.listenTls: HOST:PORT",
  })
  .refine(({ listen, listenTls }) => listen !== "none" || listenTls !== undefined, {
    path: ["listen"],
    error: "none, and no listenTls: nothing would be answered",
  });

function readListing(text: string, context: z.RefinementCtx): string {
  try {
    return parseListingSource(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
}

const country = z.string().regex(/^[A-Z]{2}$/, "not a country: two capital letters (ISO 3166-1)");

/** What can be said of a mirror. */
export const mirrorKeys = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, "lower-case letters, digits, dots and dashes, at most 63"),
  url: folderUrl,
  country,
  /** Where it is, in degrees; by default the middle of its country. */
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
  /** Only clients in these countries are sent there, by whatever way. */
  countries: z.array(country).min(1).optional(),
  /** The address families that it can be reached by; both when left out. */
  families: z
    .array(z.enum(["ipv4", "ipv6"]))
    .min(1)
    .optional(),
  /** Mbit/s. */
  bandwidth: z.number().positive().max(10_000_000).default(100),
  /** All platforms when left out. */
  platforms: z.array(platform).min(1).optional(),
  contact: z.string().max(200).optional(),
  asn: z.int().min(1).max(4_294_967_295).optional(),
  netblocks: z.array(cidr).max(1000).default([]),
  /** Where rsync lists the same tree: `rsync://host/module/`. With it, what is there is checked by listings too. */
  rsync: z.string().transform(readListing).optional(),
  private: z.boolean().default(false),
  allowPrivateAddress: z.boolean().default(false),
  disabled: z.boolean().default(false),
});

/** Latitude and longitude go together. */
export const isPositioned = ({ latitude, longitude }: { latitude?: unknown; longitude?: unknown }) =>
  (latitude === undefined) === (longitude === undefined);

export const mirrorSchema = mirrorKeys.refine(isPositioned, {
  path: ["latitude"],
  error: "latitude and longitude go together",
});

export const configSchema = z.strictObject({
  catalog: z.string().min(1).default("./data/catalog.db"),
  root: z.string().min(1).default("./data/root"),
  source: source.optional(),
  publish: publish.prefault({}),
  removal: removal.prefault({}),
  mirrorlist: mirrorlist.prefault({}),
  mirrors: z
    .array(mirrorSchema)
    .default([])
    .superRefine((mirrors, context) => {
      for (const [index, { name }] of mirrors.entries()) {
        if (mirrors.findIndex((other) => other.name === name) !== index) {
          context.addIssue({ code: "custom", path: [index, "name"], message: `a second mirror with the name ${name}` });
        }
      }
    }),
  optin: optin.prefault({}),
  crawler: crawler.prefault({}),
  events: events.prefault({}),
});

/** A mirror as the operator declares it. */
export type DeclaredMirror = z.output<typeof mirrorSchema>;
export type Scheme = Config["mirrorlist"]["scheme"];
export type Delivery = z.output<typeof delivery>;
export type SourceConfig = z.output<typeof source>;
/** The configuration as both programs use it: defaults filled in, paths absolute. */
export type Config = z.output<typeof configSchema>;
