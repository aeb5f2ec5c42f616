/**
 * Where the next page of a listing is: the target of `Link: <…>; rel="next"` (RFC 8288), relative to the page's own URL
 * or absolute. A registry behind a proxy may write its inner name, or http for https: the page is asked for where this
 * one was, always, so that no credentials go elsewhere.
 */
export function nextPage(header: string | undefined, page: URL): URL | undefined {
  const target = /<([^>]*)>\s*;[^,<]*\brel="?next\b/i.exec(header ?? "")?.[1];
  if (target === undefined) return undefined;
  const parsed = URL.parse(target, page.href);
  if (parsed === null) return undefined;
  const next = new URL(page.origin);
  next.pathname = parsed.pathname;
  next.search = parsed.search;
  return next;
}
