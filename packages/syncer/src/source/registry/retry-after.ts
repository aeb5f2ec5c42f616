/** However long a host asks us to wait, it is asked again after two minutes. In milliseconds. */
export const MAX_PAUSE_MS = 120_000;

/** The milliseconds that a `Retry-After` asks for, as seconds or as a date (RFC 9110, 10.2.3), within bounds. */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const isSeconds = /^\d{1,10}$/.test(text);
  // Date.parse takes much for a date; those of HTTP begin with the day's name.
  if (!isSeconds && !/^[A-Z][a-z]{2}/.test(text)) return undefined;
  const milliseconds = isSeconds ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  if (Number.isNaN(milliseconds)) return undefined;
  return Math.min(Math.max(milliseconds, 0), MAX_PAUSE_MS);
}
