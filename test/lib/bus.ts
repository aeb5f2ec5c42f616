import { randomUUID } from "node:crypto";
import { type ConfirmChannel, connect } from "amqplib";

/** What a publisher says of a message, where it is not as usual. */
export interface PublishOptions {
  readonly id?: string;
  readonly schema?: string;
}

/** A publisher as fedora-messaging has it: persistent JSON to a topic exchange, confirmed by the broker. */
export interface Publisher extends AsyncDisposable {
  publish(topic: string, body: unknown, options?: PublishOptions): Promise<void>;
  /** Many without a wait between them; resolves when the broker has them all. */
  publishAll(
    messages: readonly { readonly topic: string; readonly body: unknown; readonly id?: string }[],
  ): Promise<void>;
  readonly channel: ConfirmChannel;
}

export async function openPublisher(url: string, exchange = "amq.topic"): Promise<Publisher> {
  const connection = await connect(url);
  connection.on("error", () => undefined);
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => undefined);
  const send = (topic: string, body: unknown, { id = randomUUID(), schema = "base.message" }: PublishOptions = {}) =>
    new Promise<void>((resolve, reject) => {
      const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const properties = {
        contentType: "application/json",
        contentEncoding: "utf-8",
        deliveryMode: 2,
        messageId: id,
        headers: {
          fedora_messaging_schema: schema,
          fedora_messaging_severity: 20,
          "sent-at": `${new Date().toISOString().slice(0, 19)}+00:00`,
        },
      };
      channel.publish(exchange, topic, content, properties, (error: unknown) => (error ? reject(error) : resolve()));
    });
  return {
    channel,
    publish: send,
    async publishAll(messages) {
      await Promise.all(messages.map(({ topic, body, id }) => send(topic, body, id === undefined ? {} : { id })));
    },
    async [Symbol.asyncDispose]() {
      await connection.close().catch(() => undefined);
    },
  };
}
