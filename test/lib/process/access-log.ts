import { readFile } from "node:fs/promises";

/** A place in a log: what is asked for since then is what came later. */
export type Mark = number & { readonly mark: unique symbol };

/** What a peer wrote down about what was asked of it. */
export interface AccessLog<Entry> {
  /** The place where the log now ends. */
  mark(): Promise<Mark>;
  /** Everything that was answered since the mark, or from the start. */
  entries(since?: Mark): Promise<Entry[]>;
}

export interface AccessLogOptions<Entry> {
  readonly file: string;
  /** Gives undefined for a line that is no entry. */
  readonly parse: (line: string) => Entry | undefined;
  /** Returns once all that was answered before is in the file. */
  readonly settle: () => Promise<void>;
}

export function accessLog<Entry>({ file, parse, settle }: AccessLogOptions<Entry>): AccessLog<Entry> {
  const read = async () => {
    await settle();
    return readFile(file, "utf8").catch(() => "");
  };
  return {
    async mark() {
      return (await read()).length as Mark;
    },
    async entries(since) {
      const lines = (await read()).slice(since ?? 0).split("\n");
      return lines.map(parse).filter((entry) => entry !== undefined);
    },
  };
}

/** A settling that sends the peer a request of its own and waits until that stands in the log. */
export function settleByRequest(url: string, file: string): () => Promise<void> {
  let count = 0;
  return async () => {
    const token = `nearlayer-settle-${process.pid}-${++count}`;
    await fetch(url, { headers: { "user-agent": token } }).then((response) => response.arrayBuffer());
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await readFile(file, "utf8").catch(() => "")).includes(`${token}"`)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`${url} was asked, but ${file} says nothing of it`);
  };
}

/** Whether a request was one that only settled the log. */
export function isSettling(agent: string): boolean {
  return agent.startsWith("nearlayer-settle-");
}
