/** A message as a source took it, before anybody has looked into it. */
export interface Message {
  /** `amqp`, `fedmsg`, `registry`, or a webhook's name. */
  readonly source: string;
  /** What the sender tells its messages apart by. */
  readonly key: string;
  /** Words with dots between them. */
  readonly topic: string;
  /** The name of the schema that the message says it has, where the bus has such. */
  readonly schema?: string;
  /** What was sent; where that was more than is read, how many bytes it had. */
  readonly body: Uint8Array | { readonly tooLarge: number };
}
