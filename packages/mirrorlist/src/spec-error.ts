/**
 * The error codes of the distribution specification that a pull can meet (spec.md, "Error Codes"), and
 * PAGINATION_NUMBER_INVALID and UNKNOWN, which distribution adds.
 */
export type SpecCode =
  | "BLOB_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "UNSUPPORTED"
  | "UNKNOWN";

/** An answer that is an error: a value, not an exception, because asking for what is not there is expected. */
export interface SpecError {
  readonly kind: "error";
  readonly status: number;
  readonly code: SpecCode;
  readonly message: string;
  /** What was asked for, cut short; it is other people's input. */
  readonly detail?: string;
}

const STATUS: Record<SpecCode, number> = {
  BLOB_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  UNSUPPORTED: 405,
  UNKNOWN: 500,
};

/** The longest piece of a request that is repeated in an answer. */
const MAX_DETAIL = 200;

export function specError(code: SpecCode, message: string, detail?: string, status = STATUS[code]): SpecError {
  return {
    kind: "error",
    status,
    code,
    message,
    ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) }),
  };
}

/** The body that the specification asks for. */
export function specErrorBody(error: SpecError): string {
  const { code, message, detail } = error;
  return JSON.stringify({ errors: [{ code, message, detail: detail ?? null }] });
}
