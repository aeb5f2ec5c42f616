const HIDDEN = "…";

/** URLs, IPv4 and IPv6 as errors name them, with or without a port. */
const ADDRESS =
  /(?:https?|rsync):\/\/[^\s,;)"']*[^\s,;:.)"']|\[[0-9a-f:.]+\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|(?:[0-9a-f]{1,4}:){2,7}[0-9a-f:.]*|::[0-9a-f:.]+/gi;

/**
 * A text about a mirror without what tells where it is: its hosts, by its URLs, and all addresses. What it says of its
 * own failures names these now and then.
 */
export function hidePlaces(text: string, ...urls: readonly (string | undefined)[]): string {
  let hidden = text.replace(ADDRESS, HIDDEN);
  for (const url of urls) {
    const { host = "", hostname = "" } = URL.parse(url ?? "") ?? {};
    for (const place of [host, hostname]) if (place !== "") hidden = hidden.replaceAll(place, HIDDEN);
  }
  return hidden;
}
