import { readFileSync } from "node:fs";
import type { AmqpConfig } from "@nearlayer/shared/config/events";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { type ChannelModel, connect, credentials, type SocketOptions } from "amqplib";
import { readSecret } from "../secret.ts";

/** How long a broker may take to let us in, in milliseconds. */
const CONNECT_TIMEOUT_MS = 15_000;

/** How a broker is reached; the secrets are in it. */
export interface Broker {
  connect(): Promise<ChannelModel>;
}

/**
 * Reads the secrets and certificates. Without a user, a client certificate says who we are (SASL EXTERNAL); without both it
 * is RabbitMQ's guest, who gets in from the same machine alone. Throws CONFIG_INVALID.
 */
export function openBroker(config: AmqpConfig): Broker {
  const { url, username, passwordFile, ca, certificate, key, heartbeat } = config;
  const tls = Object.entries({ ca, cert: certificate, key }).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, readPem(`events.amqp.${name === "cert" ? "certificate" : name}`, file)]],
  );
  const login = () => {
    if (username !== undefined) {
      const password = readSecret("events.amqp.passwordFile", passwordFile, "NEARLAYER_AMQP_PASSWORD");
      return { credentials: credentials.plain(username, password) };
    }
    return certificate === undefined ? {} : { credentials: credentials.external() };
  };
  const options: SocketOptions = {
    ...Object.fromEntries(tls),
    ...login(),
    timeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
  };
  const target = new URL(url);
  const vhost = decodeURIComponent(target.pathname.slice(1)) || "/";
  return {
    connect: () =>
      connect(
        {
          protocol: target.protocol.slice(0, -1),
          hostname: target.hostname.replace(/^\[|\]$/g, ""),
          ...(target.port === "" ? {} : { port: Number(target.port) }),
          vhost,
          heartbeat: Math.max(1, Math.round(heartbeat / 1000)),
        },
        options,
      ),
  };
}

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `${setting} ${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}
