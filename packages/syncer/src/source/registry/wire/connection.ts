import type { Pour, Take } from "../../../pour.ts";
import { ConnectionFault } from "../fault.ts";
import { readBody } from "./body.ts";
import { type Head, type Method, parseHead } from "./head.ts";
import { openSocket } from "./open.ts";

const MAX_HEAD_BYTES = 64 * 1024;
const END_OF_HEAD = Buffer.from("\r\n\r\n");

/** An answer whose body waits to be read. */
export interface WireAnswer extends Head {
  /** A piece can be empty: then something else came than the body's own bytes. */
  readonly pour: Pour;
  /** Gives up the body, and the connection with it. */
  drop(): void;
}

/** A connection to a server: one request at a time. */
export interface Connection {
  /** Sends the text of a request, and waits for the head of its answer. */
  send(method: Method, request: string): Promise<WireAnswer>;
  /** Can another request be sent? */
  readonly isFree: boolean;
  destroy(): void;
}

export interface WireOptions {
  /** How long the server may be silent, in milliseconds. */
  readonly timeout: number;
  /** PEM certificates that are believed beside the system's. */
  readonly authorities?: string | undefined;
}

/** Who opens connections, and is told what becomes of them. */
export interface Owner {
  readonly onOpen: (connection: Connection) => void;
  readonly onFree: (connection: Connection) => void;
  readonly onGone: (connection: Connection) => void;
}

/** What is done with the bytes that come, and with the end of the connection. */
interface Listener {
  /** Returns false when no more is to be read for now. */
  onBytes(bytes: Buffer): boolean;
  onEnd(error: Error): void;
}

/** Opens a connection. Resolves once requests can be sent. */
export async function openConnection(url: URL, options: WireOptions, owner: Owner): Promise<Connection> {
  const { timeout, authorities } = options;
  let listener: Listener | undefined;
  let isReading = true;
  /** What came while nobody read: TLS hands over all that it has deciphered, paused or not. */
  const backlog: Buffer[] = [];
  let hasAnswered = false;
  /** Has the server said that nothing more comes? What is in the backlog still counts. */
  let isOver = false;
  let ended: Error | undefined;
  /** Does whoever takes the body let it wait? Then nobody but us is silent. */
  let isHeld = false;

  const { socket, ready } = await openSocket(url, authorities, (bytes) => {
    hasAnswered = true;
    if (isReading) hand(bytes);
    else backlog.push(bytes);
    return isReading;
  });
  socket.setNoDelay();

  function hand(bytes: Buffer): void {
    // Where nobody has asked for anything, the connection is no use any more.
    if (listener === undefined) end(new ConnectionFault("NOT_HTTP"));
    else isReading = listener.onBytes(bytes);
  }

  function readOn(): void {
    isReading = true;
    while (isReading) {
      const bytes = backlog.shift();
      if (bytes === undefined) break;
      hand(bytes);
    }
    if (!isReading) return;
    if (ended !== undefined) tell(ended);
    else if (isOver) end(new ConnectionFault("CLOSED"));
    else socket.resume();
  }

  function tell(error: Error): void {
    const told = listener;
    listener = undefined;
    told?.onEnd(error);
  }

  function end(error: Error): void {
    if (ended !== undefined) return;
    ended = error;
    socket.destroy();
    owner.onGone(connection);
    tell(error);
  }

  socket.on("error", end);
  for (const event of ["end", "close"]) {
    socket.on(event, () => {
      isOver = true;
      if (isReading) end(new ConnectionFault("CLOSED"));
    });
  }
  socket.on("timeout", () => isHeld || end(new ConnectionFault(hasAnswered ? "BODY_TIMEOUT" : "ANSWER_TIMEOUT")));
  socket.setTimeout(timeout);

  const connection: Connection = {
    get isFree() {
      return ended === undefined && listener === undefined;
    },
    destroy: () => end(new ConnectionFault("CLOSED")),
    send: (method, request) =>
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
            const all = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
            const found = takeHead(all, method);
            if (found === "more") {
              // A copy: what is read next takes the place of these bytes.
              received = Buffer.from(all);
              return true;
            }
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
        readOn();
      }),
  };

  function answer(head: Head, rest: Uint8Array): WireAnswer {
    const body = readBody(head.end);
    // Until the body is poured, nothing is read; what ends meanwhile is told then.
    listener = { onBytes: () => false, onEnd: () => {} };
    const drop = () => end(new ConnectionFault("CLOSED"));
    const finish = () => {
      listener = undefined;
      if (!head.isKept) return drop();
      readOn();
      owner.onFree(connection);
    };
    const pour = (take: Take) =>
      new Promise<void>((resolve, reject) => {
        const fail = (error: unknown) => {
          end(error instanceof Error ? error : new Error(String(error)));
          reject(error);
        };
        /** Hands on what was read. Returns false when no more is to be read for now. */
        const step = (bytes: Uint8Array): boolean => {
          let left = bytes;
          try {
            while (left.length > 0) {
              const taken = body.next(left);
              if (taken === undefined) throw new ConnectionFault("NOT_HTTP");
              left = taken.rest;
              const taking = take(taken.piece);
              if (taking === undefined) continue;
              isHeld = true;
              taking.then(() => goOn(left), fail);
              return false;
            }
          } catch (error) {
            fail(error);
            return false;
          }
          if (!body.isDone) return true;
          finish();
          resolve();
          return isReading;
        };
        const goOn = (bytes: Uint8Array) => {
          isHeld = false;
          socket.setTimeout(timeout);
          if (step(bytes) && !body.isDone) readOn();
        };
        const onEnd = (error: Error) => (head.end === "close" && isOver ? resolve() : reject(error));
        listener = { onBytes: step, onEnd };
        goOn(rest);
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
    owner.onOpen(connection);
    socket.once(ready, () => {
      listener = undefined;
      resolve(connection);
    });
  });
}

/** The head and the bytes behind it. `more` when the head has not ended yet; undefined when it is none. */
function takeHead(received: Buffer, method: Method): { head: Head; rest: Uint8Array } | "more" | undefined {
  const end = received.indexOf(END_OF_HEAD);
  if (end < 0) return received.length > MAX_HEAD_BYTES ? undefined : "more";
  const head = parseHead(received.toString("latin1", 0, end), method);
  const rest = received.subarray(end + END_OF_HEAD.length);
  // "Continue" and the like: the answer comes after it.
  if (head !== undefined && head.statusCode < 200) return takeHead(rest, method);
  return head && { head, rest };
}
