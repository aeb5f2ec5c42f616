import { z } from "zod";
import { messageOf } from "../errors.ts";
import { httpUrl, listenOrNone } from "./address.ts";
import { duration } from "./duration.ts";
import { parsePointer, parseTemplate } from "./template.ts";

/** What `syncer listen` listens to, and what it makes of it; docs/events.md explains it with examples. */

/** Reads text by a parser that throws an error for people. */
const parsed = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  });

const file = z.string().min(1);
const header = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "not the name of a header");

/** Words with dots between them; `*` is one word, `#` any number of them, as AMQP's topic exchanges have it. */
const topicPattern = z
  .string()
  .max(255)
  .regex(/^[^\s.]+(?:\.[^\s.]+)*$/, "not a topic: words with dots between them, * for one, # for any number");

const bus = z.url({ protocol: /^amqps?$/, error: "not an amqp or amqps URL" }).refine(
  (text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  },
  { error: "a URL without user and password, please: username, and passwordFile or NEARLAYER_AMQP_PASSWORD" },
);

const amqp = z
  .strictObject({
    /** amqps://HOST[:PORT]/VHOST, where a slash in the virtual host is written %2F. */
    url: bus,
    username: z.string().min(1).optional(),
    /** The file with the password; NEARLAYER_AMQP_PASSWORD in the environment does it too. */
    passwordFile: file.optional(),
    /** PEM: who signed the broker's certificate, and our own with its key. */
    ca: file.optional(),
    certificate: file.optional(),
    key: file.optional(),
    exchange: z.string().min(1).max(127).default("amq.topic"),
    queue: z.string().min(1).max(255).default("nearlayer"),
    /** Make the queue and its bindings; without it they must be there. */
    declare: z.boolean().default(true),
    durable: z.boolean().default(true),
    autoDelete: z.boolean().default(false),
    exclusive: z.boolean().default(false),
    /** The queue's own, such as x-max-length. */
    arguments: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
    /** Routing keys; by default the topics of the rules. */
    bindings: z.array(topicPattern).min(1).optional(),
    /** How many messages may be on their way into the journal. */
    prefetch: z.int().min(1).max(1000).default(100),
    heartbeat: duration.default(30_000),
  })
  .refine(({ certificate, key }) => (certificate === undefined) === (key === undefined), {
    path: ["certificate"],
    error: "certificate and key go together",
  });

const fedmsg = z.strictObject({
  /** tcp://HOST:PORT of publishers. */
  endpoints: z.array(z.string().regex(/^tcp:\/\/[^\s/]+:\d{1,5}$/, "not tcp://HOST:PORT")).min(1),
});

const webhook = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/, "lower-case letters, digits and dashes"),
  secretFile: file,
  /** Where the HMAC-SHA256 of the body is, in hex, after the prefix. */
  signatureHeader: header.default("X-Hub-Signature-256"),
  signaturePrefix: z.string().max(20).default("sha256="),
  /** Whose value makes the topic: webhook.NAME.VALUE. */
  topicHeader: header.optional(),
  /** What tells that two deliveries are one; without it, each is one of its own. */
  idHeader: header.optional(),
});

const literal = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const condition = z.union([literal, z.array(literal).min(1), z.strictObject({ exists: z.boolean() })]);

/** The ready-made rules. What a rule says itself goes before what it uses. */
export const PRESETS = ["registry-push", "koji-build", "bodhi-stable"] as const;

const rule = z
  .strictObject({
    use: z.enum(PRESETS).optional(),
    topic: topicPattern.optional(),
    /** The schemas of fedora-messaging that the rule can read; a message of another is parked. */
    schema: z
      .union([
        z
          .string()
          .min(1)
          .transform((name) => [name]),
        z.array(z.string().min(1)).min(1),
      ])
      .optional(),
    /** What must stand where, for the rule to apply. */
    when: z
      .record(z.string(), condition)
      .transform((record, context) =>
        Object.entries(record).map(([text, value]) => {
          try {
            return { pointer: parsePointer(text), value };
          } catch (error) {
            context.addIssue({ code: "custom", path: [text], message: messageOf(error) });
            return z.NEVER;
          }
        }),
      )
      .optional(),
    /** A list in the message: the rule then applies to each of its items. */
    each: parsed(parsePointer).optional(),
    repository: parsed(parseTemplate).optional(),
    tag: parsed(parseTemplate).optional(),
    /** What the tag is to be, where the message says it: until it is, the tag is looked at a few times more. */
    digest: parsed(parseTemplate).optional(),
    /** A repository or tag that the source has not got is no failure. */
    optional: z.boolean().optional(),
  })
  .refine(({ use, topic, repository }) => use !== undefined || (topic !== undefined && repository !== undefined), {
    error: "a rule needs topic and repository, or use",
  });

const notify = z.strictObject({
  webhooks: z
    .array(z.strictObject({ url: httpUrl, secretFile: file, signatureHeader: header.default("X-Hub-Signature-256") }))
    .default([]),
  /** Messages back on the bus of events.amqp, in fedora-messaging's form. */
  amqp: z
    .strictObject({
      exchange: z.string().min(1).max(127).optional(),
      /** What their topics begin with. */
      topic: topicPattern.default("org.nearlayer"),
    })
    .optional(),
  /** The share of the mirrors, in percent, that must have a generation before that is told. */
  percent: z.union([z.literal(50), z.literal(90), z.literal(100)]).default(90),
});

export const events = z
  .strictObject({
    /** Where webhooks, /healthz and /metrics are answered. */
    listen: listenOrNone.default({ host: "127.0.0.1", port: 5010 }),
    /** The largest message that is read, in bytes. */
    maxBody: z.int().min(1024).max(16_777_216).default(1_048_576),
    amqp: amqp.optional(),
    fedmsg: fedmsg.optional(),
    /**
     * Takes the notifications of a distribution registry at /hooks/registry. The secret is what follows `Bearer` in the
     * Authorization header; NEARLAYER_REGISTRY_HOOK_SECRET in the environment does it too.
     */
    registry: z.strictObject({ secretFile: file.optional() }).optional(),
    /** Signed webhooks, each at /hooks/NAME. */
    webhooks: z.array(webhook).default([]),
    rules: z.array(rule).default([{ use: "registry-push" }]),
    retry: z
      .strictObject({
        first: duration.default(5_000),
        longest: duration.default(1_800_000),
        attempts: z.int().min(1).max(100).default(12),
      })
      .prefault({}),
    /** How often all of the source is looked through, for what no event told. */
    audit: z.union([z.literal("never"), duration]).default(86_400_000),
    /** How long events that are done are kept to look at, and to know their duplicates by. */
    keep: duration.default(7 * 86_400_000),
    /** Mirrors that are asked how fresh they are as soon as something is published: those that a target feeds. */
    probe: z.array(z.string().min(1)).default([]),
    notify: notify.prefault({}),
  })
  .refine(({ webhooks }) => new Set(webhooks.map(({ name }) => name)).size === webhooks.length, {
    path: ["webhooks"],
    error: "two webhooks of one name",
  })
  .refine(({ webhooks }) => webhooks.every(({ name }) => name !== "registry"), {
    path: ["webhooks"],
    error: "the name registry is taken by events.registry",
  })
  .refine(({ notify: { amqp: back }, amqp: own }) => back === undefined || own !== undefined, {
    path: ["notify", "amqp"],
    error: "there is no bus: add events.amqp",
  });

export type EventsConfig = z.output<typeof events>;
export type AmqpConfig = z.output<typeof amqp>;
export type WebhookConfig = z.output<typeof webhook>;
export type RuleConfig = z.output<typeof rule>;
export type Condition = z.output<typeof condition>;

/** With the paths of its files made absolute. */
export function resolveEventPaths(config: EventsConfig, path: (value: string) => string): EventsConfig {
  const { amqp, registry, webhooks, notify } = config;
  const within = <T extends object>(section: T): T =>
    Object.fromEntries(
      Object.entries(section).map(([key, value]) => [key, FILES.has(key) && value ? path(String(value)) : value]),
    ) as T;
  return {
    ...config,
    ...(amqp === undefined ? {} : { amqp: within(amqp) }),
    ...(registry === undefined ? {} : { registry: within(registry) }),
    webhooks: webhooks.map(within),
    notify: { ...notify, webhooks: notify.webhooks.map(within) },
  };
}

const FILES = new Set(["passwordFile", "secretFile", "ca", "certificate", "key"]);
