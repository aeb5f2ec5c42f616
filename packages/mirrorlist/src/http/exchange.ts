import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RequestState } from "./deps.ts";

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
  /** A header of the request, or an empty text. */
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
  readonly #headers: Record<string, string | number> = {};

  constructor(req: IncomingMessage, res: ServerResponse, state: RequestState) {
    this.req = req;
    this.#res = res;
    this.method = req.method ?? "GET";
    this.state = state;
  }

  get(name: string): string {
    const value = this.req.headers[name.toLowerCase()];
    return typeof value === "string" ? value : (value?.join(", ") ?? "");
  }

  /** `name` must be written as it is everywhere else. */
  set(name: string, value: string): void {
    this.#headers[name] = value;
  }

  remove(name: string): void {
    delete this.#headers[name];
  }

  /** Sends the answer; resolves when a stream has been sent to its end, and rejects when that broke off. */
  async send(): Promise<void> {
    const { body, status } = this;
    const headers = this.#headers;
    if (body instanceof Readable) return this.#stream(body);
    if (body instanceof Uint8Array) headers["Content-Length"] = body.length;
    else if (status !== 304 && headers["Content-Length"] === undefined) headers["Content-Length"] = 0;
    this.#res.writeHead(status, headers);
    if (this.method === "HEAD" || !(body instanceof Uint8Array) || status === 304) this.#res.end();
    else this.#res.end(body);
  }

  async #stream(body: Readable): Promise<void> {
    if (this.length !== undefined) this.#headers["Content-Length"] = this.length;
    this.#res.writeHead(this.status, this.#headers);
    if (this.method !== "HEAD") return pipeline(body, this.#res);
    body.destroy();
    this.#res.end();
  }
}
