import { expect, test } from "vitest";
import { historyPlot } from "./plot.ts";

const NOW = Date.parse("2026-11-22T12:34:56Z");
const hour = (hoursAgo: number) => new Date(Math.floor(NOW / 3_600_000 - hoursAgo) * 3_600_000).toISOString();

test("good probes from below, failed ones above, steps of lag, and gaps where nobody looked", () => {
  const { text } = historyPlot(
    [
      { mirror: "jp", hour: hour(3), probes: 10, failed: 0, lagSeconds: 0 },
      { mirror: "jp", hour: hour(2), probes: 10, failed: 5, lagSeconds: 1800 },
      { mirror: "jp", hour: hour(0), probes: 10, failed: 10, lagSeconds: 3600 },
    ],
    NOW,
  );
  const heights = (kind: string) =>
    [...text.matchAll(new RegExp(`<rect class="${kind}"[^>]* height="([\\d.]+)"`, "g"))].map(([, height]) => height);
  expect(heights("good")).toEqual(["28", "14", "0"]);
  expect(heights("bad")).toEqual(["14", "28"]);
  expect(/<path class="lag" d="([^"]*)"/.exec(text)?.[1]).toBe("M660 194h4V139h4M672 84h4");
  expect(text).toMatch("In the last seven days 50 % of 30 probes were answered well; the longest lag was 1 h.");
  expect(text).toMatch("2026-11-22 11:00 UTC: no probe");
});

test("without probes there is no plot to look at", () => {
  expect(historyPlot([], NOW).text).toBe("<p>No probes in the last seven days.</p>");
});
