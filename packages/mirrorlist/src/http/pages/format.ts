import { type Html, html } from "../html.ts";

/** Numbers, sizes and times as people read them. Pure: the time it is comes in. */

const NUMBERS = new Intl.NumberFormat("en");

export const formatCount = (count: number): string => NUMBERS.format(count);

/** `1 mirror`, `2 mirrors`, `3 repositories`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A size by powers of a thousand, with three digits: `999 B`, `1.05 MB`, `314 GB`. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A duration in its largest unit and the next one: `45 s`, `3 min`, `2 h 10 min`, `5 d 3 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return pair(hours, "h", minutes % 60, "min");
  const days = Math.floor(hours / 24);
  return days < 60 ? pair(days, "d", hours % 24, "h") : `${formatCount(days)} d`;
}

const pair = (large: number, unit: string, small: number, smallUnit: string) =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;

/** Of a part of a whole: `0.3 %`, `27 %`, `100 %`; less than a thousandth is said to be so. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  const percent = share * 100;
  // What is not all must not be called so.
  const shown = percent < 100 ? Math.min(percent, 99.9) : percent;
  return `${shown >= 10 && shown <= 99 ? Math.round(shown) : Number(shown.toFixed(1))} %`;
}

/** A moment, and how long ago it was. What is not a time is shown as it is. */
export function moment(time: string | number | undefined, now: number): Html {
  if (time === undefined) return html`–`;
  const at = typeof time === "number" ? time : Date.parse(time);
  if (!Number.isFinite(at) || Math.abs(at) > 8e15) return html`${String(time).slice(0, 40)}`;
  const iso = new Date(at).toISOString();
  const ago = (now - at) / 1000;
  const words = ago < -60 ? `in ${formatDuration(-ago)}` : ago < 5 ? "just now" : `${formatDuration(ago)} ago`;
  return html`<time datetime="${iso}" title="${formatTime(at)}">${words}</time>`;
}

/** `2026-11-22 12:00 UTC`; times of others are shown to nobody in their own zone. */
export function formatTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const REGIONS = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

/** `Japan` for `JP`. What is not a country is shown as it is. */
export function countryName(code: string): string {
  return /^[A-Z]{2}$/.test(code) ? (REGIONS.of(code) ?? code) : code;
}

/** Enough of a digest to tell it from others: `sha256:0123456789ab`. */
export const shortDigest = (digest: string): string => digest.slice(0, 19);

/** No more of a text than a page has room for. */
export const clip = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

/** Mbit/s as people say it: `100 Mbit/s`, `2.5 Gbit/s`. */
export const formatBandwidth = (mbits: number): string =>
  mbits >= 1000 ? `${Number((mbits / 1000).toFixed(1))} Gbit/s` : `${Number(mbits.toFixed(1))} Mbit/s`;

/** How far behind a mirror is: `none`, `3 min`. */
export const formatLag = (seconds: number | undefined): string =>
  seconds === undefined ? "–" : seconds === 0 ? "none" : formatDuration(seconds);
