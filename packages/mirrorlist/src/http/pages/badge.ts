import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import { html } from "../html.ts";
import { formatDuration } from "./format.ts";

/** White text on each of these has a contrast of 4.5 at least. */
const COLOURS: Readonly<Record<MirrorState, string>> = {
  active: "#0b7a55",
  stale: "#8a5a00",
  checking: "#0b66a8",
  unreachable: "#b3380c",
  quarantined: "#9c3587",
  disabled: "#5c6670",
  pending: "#5c6670",
};

/**
 * A badge for the mirror's own pages, in the usual measure of 20 pixels. Letters are taken to be 6.6 pixels wide, and
 * `textLength` makes them so, whatever font there is.
 */
export function badge(state: MirrorState, lag: number | undefined): string {
  const left = "nearlayer mirror";
  const right = state === "stale" && lag !== undefined ? `stale, ${formatDuration(lag)} behind` : state;
  const [leftText, rightText] = [left.length * 6.6, right.length * 6.6].map((width) => Math.round(width));
  const [leftWidth, rightWidth] = [(leftText ?? 0) + 12, (rightText ?? 0) + 12];
  const width = leftWidth + rightWidth;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${left}: ${right}"><title>${left}: ${right}</title><rect width="${width}" height="20" rx="4" fill="#3b434b"/><path fill="${COLOURS[state] ?? COLOURS.pending}" d="M${leftWidth} 0h${rightWidth - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H${leftWidth}z"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="6" y="14" textLength="${leftText ?? 0}">${left}</text><text x="${leftWidth + 6}" y="14" textLength="${rightText ?? 0}">${right}</text></g></svg>`
    .text;
}
