/** What goes wrong with a connection, beside what the system says. */
export type FaultCode = "CONNECT_TIMEOUT" | "ANSWER_TIMEOUT" | "BODY_TIMEOUT" | "CLOSED" | "NOT_HTTP";

export class ConnectionFault extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode) {
    super(code);
    this.code = code;
  }
}
