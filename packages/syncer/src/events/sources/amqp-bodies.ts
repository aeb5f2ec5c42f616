import type { Channel } from "amqplib";

/** A frame as amqplib hands it to a channel: a method, a content header with the body's size, or a part of the body. */
interface Frame {
  readonly id?: number;
  readonly fields?: { readonly deliveryTag?: number };
  readonly size?: number;
  readonly content?: Uint8Array;
}

/** Class and method of basic.deliver, and the class of content headers, as amqplib numbers them. */
const BASIC_DELIVER = (60 << 16) | 60;
const CONTENT_HEADER = 60;

/**
 * Keeps bodies over `max` bytes out of memory: their frames are dropped as they come, and the message is delivered with an
 * empty body. Returns what tells the size of such a message, once, by its delivery tag.
 *
 * The protocol has no way to ask for this, and amqplib gathers all of a body first: a sender that may write to the
 * exchange could else fill our memory by `prefetch` messages of the broker's largest size.
 */
export function boundBodies(channel: Channel, max: number): { sizeOfDropped(deliveryTag: number): number | undefined } {
  const receiver = channel as unknown as { accept?: (frame: Frame) => void };
  const accept = receiver.accept?.bind(channel);
  if (accept === undefined) throw new Error("this version of amqplib has no accept(frame) on its channels");
  const dropped = new Map<number, number>();
  let deliveryTag = 0;
  let toDrop = 0;
  receiver.accept = (frame) => {
    if (toDrop > 0 && frame.content !== undefined) {
      toDrop -= frame.content.length;
      return;
    }
    if (frame.id === BASIC_DELIVER) deliveryTag = frame.fields?.deliveryTag ?? 0;
    if (frame.id === CONTENT_HEADER && frame.size !== undefined && frame.size > max) {
      toDrop = frame.size;
      dropped.set(deliveryTag, frame.size);
      accept({ ...frame, size: 0 });
      return;
    }
    accept(frame);
  };
  return {
    sizeOfDropped(tag) {
      const size = dropped.get(tag);
      dropped.delete(tag);
      return size;
    },
  };
}
