import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RequestState } from "./deps.ts";
import { endTogether } from "./together.ts";

/** What handlers answer on: the part of Koa's context that they need, so that Koa's will do as well. */
export interface Ctx {
  readonly req: IncomingMessage;
  readonly method: string;
  readonly state: RequestState;
  status: number;
  /** Bytes, or a stream of them; null is an answer without. */
  body: unknown;
  /** Of a body that is a stream. */
  length: number | undefined;
  /** A header of the request, or an empty text. `name` is in lower case. */
  get(name: string): string;
  set(name: string, value: string): void;
  remove(name: string): void;
}

/** A request and the answer to it, without the layers of a framework: they take twice as long as what we do. */
export class Exchange implements Ctx {
  readonly req: IncomingMessage;
  readonly method: string;
  readonly state: RequestState;
  status = 404;
  body: unknown = null;
  length: number | undefined;
  readonly #res: ServerResponse;
  /** Names and values in turn, as Node takes them without looking each of them up. */
  readonly #headers: (string | number)[] = [];

  constructor(req: IncomingMessage, res: ServerResponse, state: RequestState) {
    this.req = req;
    this.#res = res;
    this.method = req.method ?? "GET";
    this.state = state;
  }

  get(name: string): string {
    const value = this.req.headers[name];
    return typeof value === "string" ? value : (value?.join(", ") ?? "");
  }

  /** `name` must be written as it is everywhere else. */
  set(name: string, value: string | number): void {
    const at = this.#find(name);
    if (at < 0) this.#headers.push(name, value);
    else this.#headers[at + 1] = value;
  }

  remove(name: string): void {
    const at = this.#find(name);
    if (at >= 0) this.#headers.splice(at, 2);
  }

  #find(name: string): number {
    const headers = this.#headers;
    for (let at = 0; at < headers.length; at += 2) if (headers[at] === name) return at;
    return -1;
  }

  /** Sends the answer, a moment later; one that is a stream is waited for, and rejects when it broke off. */
  send(): Promise<void> | undefined {
    const { body, status } = this;
    if (body instanceof Readable) return this.#stream(body);
    if (body instanceof Uint8Array) this.set("Content-Length", body.length);
    else if (status !== 304 && this.#find("Content-Length") < 0) this.set("Content-Length", 0);
    this.#res.writeHead(status, this.#headers);
    endTogether(this.#res, this.method === "HEAD" || status === 304 ? null : body);
    return undefined;
  }

  async #stream(body: Readable): Promise<void> {
    if (this.length !== undefined) this.set("Content-Length", this.length);
    this.#res.writeHead(this.status, this.#headers);
    if (this.method !== "HEAD") return pipeline(body, this.#res);
    body.destroy();
    this.#res.end();
  }
}
