import { isIP, type OnReadOpts, type Socket } from "node:net";
import { connect, getCACertificates } from "node:tls";

/** The most that a record of TLS holds, in bytes (RFC 8446, 5.1). */
const RECORD_BYTES = 16 * 1024;

/**
 * Opens a socket with TLS. What was deciphered together is handed over together, record by record, whether more is wanted
 * or not: so each record has memory of its own.
 */
export function connectTls(
  to: { readonly host: string; readonly port: number },
  authorities: string | undefined,
  callback: OnReadOpts["callback"],
): Socket {
  const onread = { buffer: () => Buffer.allocUnsafeSlow(RECORD_BYTES), callback };
  return connect({
    ...{ ...to, onread },
    ...(authorities === undefined ? {} : { ca: [...getCACertificates("default"), authorities] }),
    ALPNProtocols: ["http/1.1"],
    ...(isIP(to.host) ? {} : { servername: to.host }),
  });
}
