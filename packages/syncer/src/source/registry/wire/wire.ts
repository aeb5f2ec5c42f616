import { type Connection, openConnection, type WireAnswer, type WireOptions } from "./connection.ts";

/** Asks servers for large bodies, over connections that are kept. */
export interface Wire {
  /** Throws a ConnectionFault, or the system's. An answer's body must be poured or dropped. */
  get(url: URL, headers: Readonly<Record<string, string>>): Promise<WireAnswer>;
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

  async function connect(url: URL): Promise<Connection> {
    const connection = await openConnection(url, options, {
      onFree: (free) => idleOf(url).push({ connection: free, since: performance.now() }),
      onGone: (gone) => open.delete(gone),
    });
    if (isClosed) connection.destroy();
    else open.add(connection);
    return connection;
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
    async get(url, headers) {
      const request = textOf(url, headers);
      return (takeIdle(url) ?? (await connect(url))).send(request);
    },
    close() {
      isClosed = true;
      for (const connection of open) connection.destroy();
    },
  };
}

function textOf({ pathname, search, host }: URL, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => {
    if (/[\r\n]/.test(value)) throw new Error(`a line end in the header ${name}`);
    return `${name}: ${value}\r\n`;
  });
  return `GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
