import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { specError, specErrorBody } from "../spec-error.ts";
import type { Connections } from "./connections.ts";

/** What Node reports of bytes that are no request: an error code, and for some the bytes. */
interface ParseError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

type Fault = readonly [status: number, message: string];

const FAULTS: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: [431, "the head of the request is too long"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the request's chunk extensions are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not arrive in time"],
};
const URI_TOO_LONG: Fault = [414, "the path is too long"];
const NOT_HTTP: Fault = [400, "this is not a request of HTTP/1"];

/**
 * What is answered to bytes that never become a request, so that no handler sees them: the specification's error JSON,
 * and the end of the connection. Answers that are under way on it go out first.
 */
export function answerMalformed(error: ParseError, socket: Socket, connections: Connections): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = faultOf(error);
  connections.whenIdle(socket, () => {
    if (socket.writable) socket.end(formatAnswer(status, message));
    // The rest of what is being sent is not read: whoever goes on sending must not hold the connection.
    setTimeout(() => socket.destroy(), 1000).unref();
  });
}

function faultOf({ code = "", rawPacket }: ParseError): Fault {
  // As much as that without an end of line is a request line: a head has one every now and then.
  const isRequestLine = rawPacket !== undefined && /^[A-Z]+ \S+$/.test(rawPacket.toString("latin1"));
  if (code === "HPE_HEADER_OVERFLOW" && isRequestLine) return URI_TOO_LONG;
  return FAULTS[code] ?? NOT_HTTP;
}

function formatAnswer(status: number, message: string): string {
  const body = specErrorBody(specError("UNSUPPORTED", message, undefined, status));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Docker-Distribution-API-Version: registry/2.0",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}

/** Whether a request is not worth being handed on, and what it gets then. HTTP/1.1 wants a Host (RFC 9112, 3.2). */
export function refuse(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.httpVersion !== "1.1" || request.headers.host !== undefined) return false;
  sendFault(response, 400, "a request of HTTP/1.1 names the host");
  return true;
}

/** An answer with the specification's error JSON, after which the connection ends. */
export function sendFault(response: ServerResponse, status: number, message: string): void {
  const body = specErrorBody(specError("UNSUPPORTED", message, undefined, status));
  response
    .writeHead(status, {
      "Docker-Distribution-API-Version": "registry/2.0",
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      Connection: "close",
    })
    .end(body);
}
