import type { Speed } from "./wrk.ts";

/** A line of the result: what was measured, the figure, and what it has to be. */
export interface Line {
  readonly what: string;
  readonly figure: string;
  readonly goal?: string;
  readonly holds?: boolean;
}

export const number = (value: number) => Math.round(value).toLocaleString("en").replaceAll(",", " ");
export const rate = (value: number) => `${number(value)}/s`;
export const speed = ({ rate: answers, cost }: Speed) => `${rate(answers)}, ${cost.toFixed(1).padStart(5)} µs`;
export const ratio = (value: number) => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)}×`;
export const megabytes = (bytes: number) => `${number(bytes / 1e6)} MB`;
export const seconds = (value: number) => `${value.toFixed(1)} s`;
export const milliseconds = (value: number) => `${value.toFixed(1)} ms`;

export function atLeast(what: string, value: number, goal: number): Line {
  return { what, figure: ratio(value), goal: `≥ ${goal}×`, holds: value >= goal };
}

export function atMost(what: string, value: number, goal: number, format: (value: number) => string): Line {
  return { what, figure: format(value), goal: `< ${format(goal)}`, holds: value < goal };
}

export function print(title: string, lines: readonly Line[]): void {
  const width = Math.max(...lines.map(({ what }) => what.length));
  console.log(`\n${title}\n`);
  for (const { what, figure, goal = "", holds } of lines) {
    const mark = holds === undefined ? " " : holds ? "✔" : "✘";
    console.log(`  ${mark} ${what.padEnd(width)}  ${figure.padStart(21)}  ${goal}`.trimEnd());
  }
}
