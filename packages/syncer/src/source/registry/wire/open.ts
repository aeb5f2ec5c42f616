import { connect, type OnReadOpts, type Socket } from "node:net";

/** What is read at once, in bytes: as much as waits, and fewer, larger steps cost less. */
const READ_BYTES = 256 * 1024;

/**
 * Opens a socket to the server of a URL, and says which event tells that it can be written to. `onBytes` gets all that
 * comes, and returns false when it wants no more until the socket is resumed.
 *
 * All bytes of a socket come in one piece of memory, which is what this is about: a library that makes a new buffer for
 * every 64 KB spends more on that than on all else together. They stay until `onBytes` has asked for more.
 *
 * `authorities` are PEM certificates that are believed beside the system's.
 */
export async function openSocket(
  url: URL,
  authorities: string | undefined,
  onBytes: (bytes: Buffer) => boolean,
): Promise<{ socket: Socket; ready: "connect" | "secureConnect" }> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const callback: OnReadOpts["callback"] = (count, buffer) =>
    onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count));
  if (url.protocol !== "https:") {
    const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback };
    return { socket: connect({ host, port: Number(url.port || 80), onread }), ready: "connect" };
  }
  // Loaded where it is needed: it takes longer than a request.
  const { connectTls } = await import("./tls.ts");
  return { socket: connectTls({ host, port: Number(url.port || 443) }, authorities, callback), ready: "secureConnect" };
}
