import { randomUUID } from "node:crypto";
import type { EventsConfig, WebhookConfig } from "@nearlayer/shared/config/events";
import { messageOf } from "@nearlayer/shared/errors";
import type { Journal } from "../journal.ts";
import { isSame, readSecret, signatureOf } from "../secret.ts";
import { clean, sha256 } from "../text.ts";
import { type Hook, Refusal } from "./app.ts";

/** How many events one notification of a registry may hold. */
const MAX_EVENTS = 1000;

/** The hooks of the configuration by their paths. Throws CONFIG_INVALID where a secret cannot be had. */
export function createHooks({ registry, webhooks }: EventsConfig, journal: Journal): Map<string, Hook> {
  const hooks = new Map<string, Hook>();
  if (registry !== undefined) {
    const secret = readSecret("events.registry.secretFile", registry.secretFile, "NEARLAYER_REGISTRY_HOOK_SECRET");
    hooks.set("/hooks/registry", createRegistryHook(secret, journal));
  }
  for (const webhook of webhooks) {
    const secret = readSecret(`events.webhooks ${webhook.name}: secretFile`, webhook.secretFile);
    hooks.set(`/hooks/${webhook.name}`, createSignedHook(webhook, secret, journal));
  }
  return hooks;
}

/**
 * The notifications of a distribution registry (its docs/content/about/notifications.md): an envelope of events. It sends
 * one again and again, and nothing after it, until it is taken: what cannot be read is therefore parked, and taken.
 */
function createRegistryHook(secret: string, journal: Journal): Hook {
  return {
    isLetIn: (context) => isSame(context.get("Authorization"), `Bearer ${secret}`),
    async take(context, body) {
      const source = "registry";
      if (body === undefined) {
        const tooLarge = Number(context.get("Content-Length")) || 0;
        const message = { source, key: randomUUID(), topic: "registry", body: { tooLarge } };
        return journal.park(message, "the notification is larger than events.maxBody");
      }
      const events = eventsOf(body);
      if (typeof events === "string") {
        return journal.park({ source, key: sha256(body), topic: "registry", body }, events);
      }
      const messages = events.map((event) => {
        const { id, action } = (event ?? {}) as { id?: unknown; action?: unknown };
        return {
          source,
          key: typeof id === "string" && id !== "" ? id : randomUUID(),
          topic: `registry.${typeof action === "string" ? action : "unknown"}`,
          body: Buffer.from(JSON.stringify(event)),
        };
      });
      await Promise.all(messages.map((message) => journal.take(message)));
    },
  };
}

/** The events of a notification, or why there are none. */
function eventsOf(body: Buffer): readonly unknown[] | string {
  try {
    const { events } = (JSON.parse(body.toString("utf8")) ?? {}) as { events?: unknown };
    if (!Array.isArray(events)) return "the notification has no list of events";
    return events.length <= MAX_EVENTS
      ? events
      : `the notification has ${events.length} events, more than ${MAX_EVENTS}`;
  } catch (error) {
    return `the notification is not JSON: ${messageOf(error)}`;
  }
}

/** A webhook whose body is signed, as GitHub, Forgejo and many others do it: an HMAC-SHA256 in a header. */
function createSignedHook(config: WebhookConfig, secret: string, journal: Journal): Hook {
  const { name, signatureHeader, signaturePrefix, topicHeader, idHeader } = config;
  return {
    isLetIn: (context) => context.get(signatureHeader) !== "",
    async take(context, body) {
      // Without all of the body nobody can tell who sent it.
      if (body === undefined) throw new Refusal(413, "the body is larger than events.maxBody");
      const signature = context.get(signatureHeader);
      if (!isSame(signature.toLowerCase(), `${signaturePrefix}${signatureOf(body, secret)}`.toLowerCase())) {
        throw new Refusal(401, "the signature is not the right one");
      }
      const kind = topicHeader === undefined ? "" : clean(context.get(topicHeader), 100);
      const id = idHeader === undefined ? "" : context.get(idHeader);
      const key = id === "" ? randomUUID() : id;
      await journal.take({ source: name, key, topic: `webhook.${name}${kind === "" ? "" : `.${kind}`}`, body });
    },
  };
}
