import type { HourOfProbes } from "@nearlayer/shared/catalog/history";
import { type Html, html } from "../html.ts";
import { formatCount, formatDuration, formatShare, formatTime } from "./format.ts";

/** An hour of the plot; `probes` is undefined where nobody looked. */
interface Slot {
  readonly at: number;
  readonly probes: HourOfProbes | undefined;
}

const HOUR_MS = 3_600_000;
const HOURS = 7 * 24;

const LEFT = 4;
const STEP = 4;
/** What is newest is at the right, and so is what explains it: on a phone it is seen first. */
const RIGHT = LEFT + HOURS * STEP;
const WIDTH = RIGHT + 64;
const STRIP = { top: 22, height: 28 };
const LAG = { top: 84, height: 110 };
const HEIGHT = LAG.top + LAG.height + 26;

/**
 * Availability and lag of the last seven days, by the hour: a strip in which a gap is an hour without a good probe, and
 * steps for the longest time that the mirror was behind. Cost: 170 hours, about 20 KB.
 */
export function historyPlot(hours: readonly HourOfProbes[], now: number): Html {
  const { ok, probes, longest } = summarize(hours);
  if (probes === 0) return html`<p>No probes in the last seven days.</p>`;
  const slots = slotsOf(hours, now);
  const top = niceTop(longest);
  const x = (index: number) => LEFT + index * STEP;
  const y = (seconds: number) => Number((LAG.top + LAG.height * (1 - seconds / top)).toFixed(1));
  const summary = `In the last seven days ${formatShare(ok / probes)} of ${formatCount(probes)} probes were answered well; the longest lag was ${formatDuration(longest)}.`;
  return html`<figure><figcaption>${summary}</figcaption>
<div class="scroll newest" role="region" aria-label="Availability and lag over seven days" tabindex="0"><svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="plot-title plot-text">
<title id="plot-title">Availability and lag by the hour</title><desc id="plot-text">${summary}</desc>
<text class="head end" x="${RIGHT}" y="14">Probes answered</text><text class="head end" x="${RIGHT}" y="${LAG.top - 10}">Lag</text>
${slots.map(({ probes: one }, index) => one !== undefined && availabilityBar(one, x(index)))}
<rect class="frame" x="${LEFT}" y="${STRIP.top}" width="${HOURS * STEP}" height="${STRIP.height}"/>
${[0, 0.5, 1].map(
  (part) =>
    html`<path class="grid" d="M${LEFT} ${y(part * top)}h${HOURS * STEP}"/><text class="axis" x="${RIGHT + 6}" y="${y(part * top) + 4}">${part === 0 ? "0" : formatDuration(part * top)}</text>`,
)}
<path class="lag" d="${lagLine(slots, x, y)}"/>
${days(slots).map(
  ({ index, name }) =>
    html`<path class="grid day" d="M${x(index)} ${STRIP.top}V${LAG.top + LAG.height}"/><text class="axis" x="${x(index) + 3}" y="${HEIGHT - 8}">${name}</text>`,
)}
${slots.map(({ at, probes: one }, index) => html`<rect class="hover" x="${x(index)}" y="${STRIP.top}" width="${STEP}" height="${LAG.top + LAG.height - STRIP.top}"><title>${hourText(at, one)}</title></rect>`)}
</svg></div></figure>`;
}

function slotsOf(hours: readonly HourOfProbes[], now: number): Slot[] {
  const known = new Map(hours.map((one) => [Math.floor(Date.parse(one.hour) / HOUR_MS), one]));
  const last = Math.floor(now / HOUR_MS);
  return Array.from({ length: HOURS }, (_, index) => {
    const hour = last - HOURS + 1 + index;
    const one = known.get(hour);
    return { at: hour * HOUR_MS, probes: one !== undefined && one.probes > 0 ? one : undefined };
  });
}

function summarize(hours: readonly HourOfProbes[]) {
  let [probes, failed, longest] = [0, 0, 0];
  for (const one of hours) {
    probes += one.probes;
    failed += Math.min(one.failed, one.probes);
    longest = Math.max(longest, one.lagSeconds);
  }
  return { probes, ok: probes - failed, longest };
}

/** Good probes from below; above them, what failed. */
function availabilityBar({ probes, failed }: HourOfProbes, x: number): Html {
  const bad = Number((STRIP.height * Math.min(1, failed / probes)).toFixed(1));
  return html`<rect class="good" x="${x}" y="${STRIP.top + bad}" width="${STEP}" height="${Number((STRIP.height - bad).toFixed(1))}"/>${bad > 0 && html`<rect class="bad" x="${x}" y="${STRIP.top}" width="${STEP}" height="${bad}"/>`}`;
}

/** Steps, with a gap where nobody looked. */
function lagLine(slots: readonly Slot[], x: (index: number) => number, y: (seconds: number) => number): string {
  let isOn = false;
  let path = "";
  for (const [index, { probes }] of slots.entries()) {
    if (probes !== undefined) path += `${isOn ? "V" : `M${x(index)} `}${y(probes.lagSeconds)}h${STEP}`;
    isOn = probes !== undefined;
  }
  return path;
}

/** Where days begin (UTC), and what they are called. */
function days(slots: readonly Slot[]): { index: number; name: string }[] {
  return slots.flatMap(({ at }, index) =>
    at % (24 * HOUR_MS) === 0 ? [{ index, name: new Date(at).toISOString().slice(5, 10) }] : [],
  );
}

/** The round number of seconds, minutes, hours or days that is not below it. */
function niceTop(seconds: number): number {
  const steps = [60, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800];
  return steps.find((step) => step >= seconds) ?? Math.ceil(seconds / 604_800) * 604_800;
}

function hourText(at: number, one: HourOfProbes | undefined): string {
  if (one === undefined) return `${formatTime(at)}: no probe`;
  return `${formatTime(at)}: ${one.probes - one.failed} of ${one.probes} probes, lag ${formatDuration(one.lagSeconds)}`;
}
