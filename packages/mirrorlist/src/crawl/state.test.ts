import { describe, expect, test } from "vitest";
import { CLEAN_AUDITS, nextState, type Observation, quarantineMs, type Standing } from "./state.ts";

const HOUR = 3_600_000;
const NOW = Date.parse("2026-11-24T12:00:00Z");
const SETTINGS = { staleAfter: 24 * HOUR, quarantine: HOUR };

const good: Observation = { contact: { ok: true } };
const failing = (wasFailing: boolean): Observation => ({
  contact: { ok: false, reason: "refuses connections", wasFailing },
});
const late = (ms: number): Observation => ({ ...good, lag: { ms, detail: "at generation 1 of 2" } });
const audited = (clean: number, times = 1): Observation => ({ quarantine: { clean, times } });
const standing = (state: Standing["state"], reason = "", since = NOW - HOUR): Standing => ({ state, reason, since });

describe("the state of a mirror", () => {
  test.each<[string, Standing, Observation, string | undefined]>([
    // Who is new.
    [
      "no proof",
      standing("pending"),
      { proof: { ok: false, detail: "answers 404" } },
      "pending: waits for its proof: answers 404",
    ],
    ["no look at it", standing("pending"), {}, undefined],
    ["the proof", standing("pending"), { proof: { ok: true, detail: "shows its proof" } }, "checking: shows its proof"],
    [
      "the proof alone",
      standing("pending"),
      { proof: { ok: true, detail: "" }, awaitsApproval: true },
      "pending: shows its proof, and waits for the operator's approval",
    ],
    ["a full check", standing("checking"), good, "active: passed its first full check"],
    ["a full check of one that is far behind", standing("checking"), late(25 * HOUR), "stale: at generation 1 of 2"],
    ["something lacking", standing("checking"), { ...good, lacks: "linux-amd64: 404" }, "checking: linux-amd64: 404"],
    ["silence at first", standing("checking"), failing(true), "checking: refuses connections"],
    [
      "wrong bytes at first",
      standing("checking"),
      { ...good, wrong: "has other bytes" },
      "quarantined: has other bytes",
    ],
    ["nothing published", standing("checking"), {}, undefined],
    // Who is in use.
    ["all well", standing("active"), good, undefined],
    ["a first failure", standing("active"), failing(false), undefined],
    ["a second one", standing("active"), failing(true), "unreachable: refuses connections"],
    ["wrong bytes", standing("active"), { wrong: "has other bytes" }, "quarantined: has other bytes"],
    ["behind", standing("active"), late(23 * HOUR), undefined],
    ["behind for too long", standing("active"), late(25 * HOUR), "stale: at generation 1 of 2"],
    ["still behind", standing("stale", "at generation 1 of 2"), late(26 * HOUR), undefined],
    ["less behind", standing("stale"), late(HOUR), "active: has caught up"],
    ["a stale one that is gone", standing("stale"), failing(true), "unreachable: refuses connections"],
    ["one good answer", standing("unreachable"), good, "active: answers again"],
    ["an answer of one that is behind", standing("unreachable"), late(25 * HOUR), "stale: at generation 1 of 2"],
    ["still gone", standing("unreachable", "refuses connections"), failing(true), undefined],
    ["wrong bytes of one that is back", standing("unreachable"), { ...good, wrong: "x" }, "quarantined: x"],
    // Who has shown wrong bytes.
    ["a good probe", standing("quarantined"), good, undefined],
    ["audits enough, too early", standing("quarantined", "", NOW - HOUR + 1), audited(CLEAN_AUDITS), undefined],
    ["time enough, too few audits", standing("quarantined", "", NOW - 9 * HOUR), audited(CLEAN_AUDITS - 1), undefined],
    ["both", standing("quarantined"), audited(CLEAN_AUDITS), "active: 5 audits in a row without fault"],
    ["both, but the second time", standing("quarantined"), audited(CLEAN_AUDITS, 2), undefined],
    [
      "both, and long enough",
      standing("quarantined", "", NOW - 2 * HOUR),
      audited(CLEAN_AUDITS, 2),
      "active: 5 audits in a row without fault",
    ],
    ["silence", standing("quarantined"), failing(true), undefined],
    // Who was taken out by hand.
    ["anything", standing("disabled"), { ...good, wrong: "x", proof: { ok: true, detail: "" } }, undefined],
  ])("%s: %j", (_, before, seen, expected) => {
    const next = nextState(before, seen, NOW, SETTINGS);
    expect(next && `${next.state}: ${next.reason}`).toBe(expected);
  });
});

test("each quarantine is twice as long as the one before, up to a week, and never shorter than the shortest", () => {
  expect([1, 2, 3, 100].map((times) => quarantineMs(times, HOUR) / HOUR)).toEqual([1, 2, 4, 7 * 24]);
  expect(quarantineMs(1, 30 * 24 * HOUR)).toBe(30 * 24 * HOUR);
});
