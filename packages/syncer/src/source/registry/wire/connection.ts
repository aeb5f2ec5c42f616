import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Pour, Take } from "../../../pour.ts";
import { ConnectionFault } from "../fault.ts";
import { type Head, parseHead } from "./head.ts";

/** What is read at once, in bytes: as much as waits, and fewer, larger steps cost less. */
const READ_BYTES = 256 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;
const END_OF_HEAD = Buffer.from("\r\n\r\n");

/** An answer whose body waits to be read. One whose length is not known cannot be: it is to be dropped. */
export interface WireAnswer extends Head {
  readonly pour: Pour;
  /** Gives up the body, and the connection with it. */
  drop(): void;
}

/** A connection to a server: one request at a time. */
export interface Connection {
  /** Sends the text of a request, and waits for the head of its answer. */
  send(request: string): Promise<WireAnswer>;
  /** Can another request be sent? */
  readonly isFree: boolean;
  destroy(): void;
}

export interface WireOptions {
  /** How long the server may be silent, in milliseconds. */
  readonly timeout: number;
  /** PEM certificates that are believed, where those are not the system's alone. */
  readonly ca?: readonly string[];
}

/** Who opens connections, and is told what becomes of them. */
export interface Owner {
  readonly onFree: (connection: Connection) => void;
  readonly onGone: (connection: Connection) => void;
}

/** What is done with the bytes that come, and with the end of the connection. */
interface Listener {
  /** Returns false when no more is to be read for now. */
  onBytes(bytes: Buffer): boolean;
  onEnd(error: Error): void;
}

/**
 * Opens a connection. All that is read comes in one piece of memory, which is what this is about: a library that makes a
 * new buffer for every 64 KB spends more on that than on all else together. Resolves once requests can be sent.
 */
export function openConnection(url: URL, { timeout, ca }: WireOptions, { onFree, onGone }: Owner): Promise<Connection> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let listener: Listener | undefined;
  let hasAnswered = false;
  let ended: Error | undefined;
  /** Does whoever takes the body let it wait? Then nobody but us is silent. */
  let isHeld = false;
  const onread: OnReadOpts = {
    buffer,
    callback(count) {
      hasAnswered = true;
      if (listener !== undefined) return listener.onBytes(buffer.subarray(0, count));
      // Nobody has asked for anything.
      socket.destroy();
      return false;
    },
  };
  const socket = connect(url, onread, ca);
  socket.setNoDelay();

  function end(error: Error): void {
    if (ended !== undefined) return;
    ended = error;
    socket.destroy();
    const told = listener;
    listener = undefined;
    onGone(connection);
    told?.onEnd(error);
  }
  socket.on("error", end);
  for (const event of ["end", "close"]) socket.on(event, () => end(new ConnectionFault("CLOSED")));
  socket.on("timeout", () => isHeld || end(new ConnectionFault(hasAnswered ? "BODY_TIMEOUT" : "ANSWER_TIMEOUT")));
  socket.setTimeout(timeout);

  const connection: Connection = {
    get isFree() {
      return ended === undefined && listener === undefined;
    },
    destroy: () => end(new ConnectionFault("CLOSED")),
    send: (request) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) throw ended;
        hasAnswered = false;
        let received = Buffer.alloc(0);
        // A head that drips is an answer that does not come.
        const timer = setTimeout(() => end(new ConnectionFault("ANSWER_TIMEOUT")), 2 * timeout);
        listener = {
          onEnd(error) {
            clearTimeout(timer);
            reject(error);
          },
          onBytes(bytes) {
            received = Buffer.concat([received, bytes]);
            const found = takeHead(received);
            if (found === "more") return true;
            if (found === undefined) {
              end(new ConnectionFault("NOT_HTTP"));
              return false;
            }
            clearTimeout(timer);
            resolve(answer(found.head, found.rest));
            return false;
          },
        };
        socket.write(request);
        socket.resume();
      }),
  };

  function answer(head: Head, rest: Uint8Array): WireAnswer {
    let left = head.length ?? 0;
    // Until the body is poured, nothing is read; what ends meanwhile is told then.
    listener = { onBytes: () => false, onEnd: () => {} };
    const drop = () => end(new ConnectionFault("CLOSED"));
    const finish = () => {
      listener = undefined;
      if (!head.isKept) return drop();
      socket.resume();
      onFree(connection);
    };
    const pour = (take: Take) =>
      new Promise<void>((resolve, reject) => {
        const fail = (error: unknown) => {
          end(error instanceof Error ? error : new Error(String(error)));
          reject(error);
        };
        const step = (bytes: Uint8Array): boolean => {
          // More than was announced: whose bytes are those?
          if (bytes.length > left) {
            fail(new ConnectionFault("NOT_HTTP"));
            return false;
          }
          left -= bytes.length;
          try {
            const taking = bytes.length > 0 ? take(bytes) : undefined;
            if (taking !== undefined) {
              isHeld = true;
              taking.then(() => {
                isHeld = false;
                socket.setTimeout(timeout);
                if (left === 0) done();
                else socket.resume();
              }, fail);
              return false;
            }
          } catch (error) {
            fail(error);
            return false;
          }
          if (left > 0) return true;
          done();
          return true;
        };
        const done = () => {
          finish();
          resolve();
        };
        if (ended !== undefined && rest.length < left) return reject(ended);
        listener = { onBytes: step, onEnd: reject };
        if (step(rest)) socket.resume();
      });
    return { ...head, pour, drop };
  }

  return new Promise((resolve, reject) => {
    listener = {
      onBytes: () => false,
      onEnd: (error) =>
        reject(
          error instanceof ConnectionFault && error.code === "ANSWER_TIMEOUT"
            ? new ConnectionFault("CONNECT_TIMEOUT")
            : error,
        ),
    };
    socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => {
      listener = undefined;
      resolve(connection);
    });
  });
}

function connect(url: URL, onread: OnReadOpts, ca: readonly string[] | undefined): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol !== "https:") return connectTcp({ host, port: Number(url.port || 80), onread });
  const options = { host, port: Number(url.port || 443), onread, ...(ca === undefined ? {} : { ca: [...ca] }) };
  return connectTls({ ...options, ALPNProtocols: ["http/1.1"], ...(isIP(host) ? {} : { servername: host }) });
}

/** The head and the bytes behind it. `more` when the head has not ended yet; undefined when it is none. */
function takeHead(received: Buffer): { head: Head; rest: Uint8Array } | "more" | undefined {
  const end = received.indexOf(END_OF_HEAD);
  if (end < 0) return received.length > MAX_HEAD_BYTES ? undefined : "more";
  const head = parseHead(received.toString("latin1", 0, end));
  const rest = received.subarray(end + END_OF_HEAD.length);
  // "Continue" and the like: the answer comes after it.
  if (head !== undefined && head.statusCode < 200) return takeHead(rest);
  return head && { head, rest };
}
