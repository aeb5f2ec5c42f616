import type { ServerResponse } from "node:http";

interface Complete {
  readonly response: ServerResponse;
  readonly body: unknown;
}

let complete: Complete[] = [];

/**
 * Ends the response, whose head is written, once all requests that have come in together are handled, with theirs. Each
 * write wakes who waits for it: one by one, a reader on the same machine would be woken for a single answer, and fall
 * asleep before the next.
 */
export function endTogether(response: ServerResponse, body: unknown): void {
  if (complete.push({ response, body }) === 1) setImmediate(endAll);
}

function endAll(): void {
  const answers = complete;
  complete = [];
  for (const { response, body } of answers) {
    if (body instanceof Uint8Array) response.end(body);
    else response.end();
  }
}
