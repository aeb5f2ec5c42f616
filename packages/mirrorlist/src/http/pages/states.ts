import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import { type Html, html } from "../html.ts";

/** The order in which people want to see them. */
export const STATES: readonly MirrorState[] = [
  "active",
  "stale",
  "checking",
  "unreachable",
  "quarantined",
  "disabled",
  "pending",
];

/** What a state means, for those who do not know. */
export const STATE_MEANINGS: Readonly<Record<MirrorState, string>> = {
  active: "up to date, and used",
  stale: "behind for long; used for what it has",
  checking: "its first full check is under way",
  unreachable: "does not answer; not used",
  quarantined: "showed wrong bytes; not used",
  disabled: "taken out by hand",
  pending: "has yet to show whose it is, or to be approved of",
};

/**
 * Each state has a shape as well as a colour: who tells colours apart with trouble sees the shape. In a box from -6 to 6,
 * so that a map can move them about.
 */
const SHAPES: Readonly<Record<MirrorState, Html>> = {
  active: html`<circle r="4.6"/>`,
  stale: html`<path d="M0-5.4 5.4 4.4H-5.4Z"/>`,
  checking: html`<path d="M0-5.6 5.6 0 0 5.6-5.6 0Z"/>`,
  unreachable: html`<path d="M-4.4-4.4 4.4 4.4M-4.4 4.4 4.4-4.4"/>`,
  quarantined: html`<path d="M-4.4-4.4H4.4V4.4H-4.4Z"/>`,
  disabled: html`<path d="M-5 0H5"/>`,
  pending: html`<circle r="4"/>`,
};

export const stateShape = (state: MirrorState): Html => SHAPES[state] ?? SHAPES.pending;

/** The shape, and the word beside it. */
export function stateLabel(state: MirrorState): Html {
  return html`<span class="state">${stateMark(state)}${state}</span>`;
}

/** The shape alone, for what says the word itself. */
export function stateMark(state: MirrorState): Html {
  return html`<svg class="mark ${state}" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">${stateShape(state)}</svg>`;
}
