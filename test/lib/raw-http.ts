import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection that something is written to, or nothing. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  // A server that is done with us need not read what we still send.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Sends bytes exactly as they stand, and gives all that comes back before the server ends or is silent. */
export async function exchange(port: number, bytes: string | Buffer, silentMs = 300): Promise<string> {
  const socket = await openSocket(port);
  const chunks: Buffer[] = [];
  let heard = Date.now();
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    heard = Date.now();
  });
  socket.write(bytes);
  while (!socket.closed && Date.now() - heard < silentMs) await sleep(5);
  socket.destroy();
  return Buffer.concat(chunks).toString("latin1");
}

/** The answers in what came back, one after another. */
export function parseAnswers(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest.startsWith("HTTP/1.")) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) throw new Error(`half an answer: ${rest.slice(0, 200)}`);
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const status = Number(first.split(" ")[1]);
    const length = Number(headers["content-length"] ?? 0);
    answers.push({ status, headers, body: rest.slice(end + 4, end + 4 + length) });
    rest = rest.slice(end + 4 + length);
  }
  if (rest !== "") throw new Error(`not an answer: ${rest.slice(0, 200)}`);
  return answers;
}

/** The answers to one writing. */
export async function ask(port: number, bytes: string | Buffer): Promise<RawAnswer[]> {
  return parseAnswers(await exchange(port, bytes));
}
