import { type ErrorCode, isNearlayerError, messageOf, NearlayerError, systemCode } from "@nearlayer/shared/errors";

/** A request that failed, and whether the same request may well succeed a little later. */
export class RequestError extends NearlayerError {
  readonly isTransient: boolean;
  /** The status of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { isTransient: boolean; status?: number; hint?: string; cause?: unknown },
  ) {
    super(code, message, options);
    this.isTransient = options.isTransient;
    this.status = options.status;
  }
}

/** System errors that say that there was no connection at all. */
const NO_CONNECTION = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "CONNECT_TIMEOUT",
]);

/** Certificates do not get better by asking again (Node's doc/api/tls.md, "X509 certificate error codes"). */
const CERTIFICATE = /CERT|^UNABLE_TO_|^ERR_TLS|^ERR_SSL|^HOSTNAME_MISMATCH$/;

/** What a failed connection, or one that broke off, means to people. */
export function connectionError(cause: unknown, name: string, hasAnswered: boolean): RequestError {
  const code = systemCode(cause) ?? "";
  const reason = REASONS[code] ?? (code || messageOf(cause));
  if (CERTIFICATE.test(code)) {
    return new RequestError("SOURCE_UNREACHABLE", `registry ${name}: its certificate does not hold: ${reason}`, {
      isTransient: false,
      cause,
      hint: "name the authority's certificate in source.ca",
    });
  }
  if (hasAnswered && !NO_CONNECTION.has(code)) {
    return new RequestError("SOURCE_BROKE_OFF", `registry ${name} broke off: ${reason}`, { isTransient: true, cause });
  }
  return new RequestError("SOURCE_UNREACHABLE", `registry ${name} does not answer: ${reason}`, {
    // An address where nobody ever answered is most likely wrong: that is said at once.
    isTransient: hasAnswered || !NO_CONNECTION.has(code),
    cause,
    hint: "check source.url in the configuration, and that the registry runs",
  });
}

/** What a fault or a system error is to people. */
const REASONS: Record<string, string> = {
  CONNECT_TIMEOUT: "no connection within source.timeout",
  ANSWER_TIMEOUT: "no answer within source.timeout",
  BODY_TIMEOUT: "nothing came for source.timeout in the middle of a body",
  CLOSED: "the connection was closed",
  ECONNRESET: "the connection was closed",
  NOT_HTTP: "what it sent is no HTTP/1.1",
};

/** Statuses that pass: timeouts, too many requests, and whatever is wrong with the server. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
}

/** May the same succeed a little later? Wrong bytes may: a proxy on the way can have spoilt or cut them. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RequestError) return error.isTransient;
  return isNearlayerError(error, "DIGEST_MISMATCH") || isNearlayerError(error, "SIZE_MISMATCH");
}
