import { type Connection, openConnection, type WireAnswer, type WireOptions } from "./connection.ts";
import type { Method } from "./head.ts";

export interface WireRequest {
  readonly method?: Method | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Asks servers by HTTP/1.1, over connections that are kept. */
export interface Wire {
  /** Throws a ConnectionFault, or the system's. An answer's body must be poured or dropped. */
  ask(url: URL, request: WireRequest): Promise<WireAnswer>;
  /** Breaks off what is under way. */
  close(): void;
}

/**
 * How long a connection may wait for its next request, in milliseconds. Servers close theirs after five seconds or more;
 * a request that meets that moment would be lost.
 */
const IDLE_MS = 3000;

export function createWire(options: WireOptions): Wire {
  const idle = new Map<string, { readonly connection: Connection; readonly since: number }[]>();
  const open = new Set<Connection>();
  let isClosed = false;

  function idleOf({ origin }: URL) {
    const list = idle.get(origin) ?? [];
    idle.set(origin, list);
    return list;
  }

  function connect(url: URL): Promise<Connection> {
    return openConnection(url, options, {
      onOpen(connection) {
        open.add(connection);
        if (isClosed) connection.destroy();
      },
      onFree: (free) => idleOf(url).push({ connection: free, since: performance.now() }),
      onGone: (gone) => open.delete(gone),
    });
  }

  function takeIdle(url: URL): Connection | undefined {
    for (;;) {
      const last = idleOf(url).pop();
      if (last === undefined) return undefined;
      if (last.connection.isFree && performance.now() - last.since < IDLE_MS) return last.connection;
      last.connection.destroy();
    }
  }

  return {
    async ask(url, request) {
      const text = textOf(url, request);
      return (takeIdle(url) ?? (await connect(url))).send(request.method ?? "GET", text);
    },
    close() {
      isClosed = true;
      for (const connection of open) connection.destroy();
    },
  };
}

function textOf({ pathname, search, host }: URL, { method = "GET", headers, body = "" }: WireRequest): string {
  const length = method === "POST" ? { "content-length": String(Buffer.byteLength(body)) } : {};
  const lines = Object.entries({ host, ...headers, ...length }).map(([name, value]) => {
    if (/[\r\n]/.test(value)) throw new Error(`a line end in the header ${name}`);
    return `${name}: ${value}\r\n`;
  });
  return `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}
