import type { Notice } from "@nearlayer/shared/catalog/notices";
import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { Broker } from "../sources/amqp-connect.ts";

/** What puts notices on the bus. */
export interface Bus extends AsyncDisposable {
  /** Resolves once the broker has it. */
  send(notice: Notice, id: string): Promise<void>;
}

/** By a connection of its own, which is made when there is something to say, and anew after it broke. */
export function createBus(broker: Broker, exchange: string): Bus {
  let connection: ChannelModel | undefined;
  let channel: ConfirmChannel | undefined;
  const close = async () => {
    const open = connection;
    [connection, channel] = [undefined, undefined];
    await open?.close().catch(() => undefined);
  };
  const open = async (): Promise<ConfirmChannel> => {
    if (channel !== undefined) return channel;
    connection = await broker.connect();
    connection.on("error", close).on("close", close);
    const opened = await connection.createConfirmChannel();
    opened.on("error", close).on("close", close);
    channel = opened;
    return opened;
  };
  return {
    async send({ topic, body, createdAt }, id) {
      try {
        const confirmed = await open();
        // As fedora-messaging's own messages look (its docs/wire-format.rst); `base.message` is the schema of any object.
        confirmed.publish(exchange, topic, Buffer.from(body), {
          contentType: "application/json",
          contentEncoding: "utf-8",
          deliveryMode: 2,
          messageId: id,
          headers: {
            fedora_messaging_schema: "base.message",
            fedora_messaging_severity: 20,
            "sent-at": createdAt.replace(/\.\d+Z$/, "+00:00"),
          },
        });
        await confirmed.waitForConfirms();
      } catch (error) {
        await close();
        throw error;
      }
    },
    [Symbol.asyncDispose]: close,
  };
}
