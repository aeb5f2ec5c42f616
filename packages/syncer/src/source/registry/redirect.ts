import { NearlayerError } from "@nearlayer/shared/errors";

/** The statuses that send a GET or HEAD somewhere else (RFC 9110, 15.4). */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/** Where a redirect sends the request. Throws SOURCE_REFUSED where nobody should go. */
export function redirectOf(status: number, location: string | undefined, from: URL): URL {
  const to = location === undefined ? null : URL.parse(location, from.href);
  if (to === null) throw new NearlayerError("SOURCE_REFUSED", `${from.host} redirects to nowhere (${status})`);
  if (to.protocol !== "https:" && (to.protocol !== "http:" || from.protocol === "https:")) {
    throw new NearlayerError(
      "SOURCE_REFUSED",
      `${from.host} redirects to ${to.protocol}//${to.host}: not without TLS`,
      {
        hint: "what is asked over https is not fetched over http",
      },
    );
  }
  to.username = "";
  to.password = "";
  return to;
}
