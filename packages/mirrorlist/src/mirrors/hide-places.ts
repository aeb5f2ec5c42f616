const HIDDEN = "…";

/** IPv4 and IPv6 as errors name them, with or without a port. */
const ADDRESS =
  /\[[0-9a-f:.]+\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|(?:[0-9a-f]{1,4}:){2,7}[0-9a-f:.]*|::[0-9a-f:.]+/gi;

/**
 * A text about a mirror without what tells where it is: its host, and all addresses. What it says of its own failures
 * names these now and then.
 */
export function hidePlaces(text: string, url: string): string {
  const { host = "", hostname = "" } = URL.parse(url) ?? {};
  let hidden = text;
  for (const place of [url, host, hostname]) if (place !== "") hidden = hidden.replaceAll(place, HIDDEN);
  return hidden.replace(ADDRESS, HIDDEN);
}
