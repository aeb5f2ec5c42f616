import { expect, test } from "vitest";
import { sha256Hex } from "../../generation.ts";
import { failedBlobs, pruneAudits, readAudits, readHashedBytes, writeAudits } from "../audits.ts";
import { readCarried, readCarriedFrom, readNewestCarried } from "../carried.ts";
import { databaseNow, isoOf } from "../clock.ts";
import { latestGeneration, recordGeneration } from "../generations.ts";
import {
  addProbeHours,
  addRedirectHours,
  hourOf,
  notePropagation,
  pruneHistory,
  readOpenPropagation,
} from "../history.ts";
import { recordImage } from "../images.ts";
import { claimTurns, moveTurns } from "../leases.ts";
import { readWantedProbes, wantProbe } from "../mirror-states.ts";
import { addMirror } from "../mirrors.ts";
import type { Catalog } from "../open.ts";
import { type ProbeRow, readProbes, writeProbes } from "../probes.ts";
import type { ContractPart } from "./contract.ts";
import { newMirror, ROOM } from "./sample-mirrors.ts";
import { AMD64, ARM64, layerOf, sampleImage } from "./samples.ts";

const MINUTE = 60_000;
const DUE = { every: MINUTE, first: 10_000 };
const dueOf = (...names: readonly string[]) => new Map(names.map((name) => [name, DUE]));

const inTurn = (catalog: Catalog, work: (transaction: Catalog, now: number) => Promise<void>) =>
  catalog.transaction().execute(async (transaction) => work(transaction, await databaseNow(transaction)));

const probeRow = (mirror: string, more: Partial<ProbeRow> = {}): ProbeRow => ({
  ...{ mirror, platform: AMD64, at: "", seenAt: null, generation: 7, shown: 7, etag: '"7"', lastModified: null },
  ...{ failureKind: null, failure: null, ...more },
});

/** Moves all turns into the past, as if so much time had gone by. */
async function passTime(catalog: Catalog, ms: number): Promise<void> {
  for (const { mirror, until } of await catalog.selectFrom("crawlLease").selectAll().execute()) {
    const moved = isoOf(Date.parse(until) - ms);
    await catalog.updateTable("crawlLease").set({ until: moved }).where("mirror", "=", mirror).execute();
  }
}

export const crawlContract: ContractPart = (fixture) => {
  test("a turn is one instance's until it ends, and then whoever asks first has the next one", async () => {
    const { catalog, open } = fixture();
    const other = await open();
    const first = await claimTurns(catalog, { holder: "a", due: dueOf("m", "n") });
    expect(first.ours).toEqual(["m", "n"]);
    expect((first.until.get("m") ?? 0) - first.now).toBe(10_000);
    const refused = await claimTurns(other, { holder: "b", due: dueOf("m", "n", "new") });
    expect(refused.ours).toEqual(["new"]);
    expect(refused.until.get("m")).toBe(first.until.get("m"));
    // The one that had it may be dead: nobody asks.
    await passTime(catalog, 11_000);
    const taken = await claimTurns(other, { holder: "b", due: dueOf("m") });
    expect(taken.ours).toEqual(["m"]);
    // The rhythm stays: the turn begins where the last one has ended, and not when somebody came for it.
    const lease = await catalog
      .selectFrom("crawlLease")
      .selectAll()
      .where("mirror", "=", "m")
      .executeTakeFirstOrThrow();
    expect(lease).toEqual({ mirror: "m", holder: "b", until: isoOf((first.until.get("m") ?? 0) - 11_000 + MINUTE) });
    // After a long pause, what was missed is not made up for.
    await passTime(catalog, 20 * MINUTE);
    const late = await claimTurns(other, { holder: "b", due: dueOf("m") });
    expect(late.until.get("m")).toBe(late.now + MINUTE);
  });

  test("of two that ask at the same time each turn has one", async () => {
    const { catalog, open } = fixture();
    const others = [catalog, await open(), await open()];
    const names = Array.from({ length: 700 }, (_, index) => `m${index}`);
    const claims = others.map((one, index) => () => claimTurns(one, { holder: String(index), due: dueOf(...names) }));
    const taken = fixture().location.startsWith("postgres:")
      ? await Promise.all(claims.map((claim) => claim()))
      : [await claims[0]?.(), await claims[1]?.(), await claims[2]?.()];
    expect(taken.flatMap((turns) => turns?.ours ?? []).sort()).toEqual([...names].sort());
  });

  test("a turn can be moved, and forced; a lease from a clock that went wrong does not last", async () => {
    const { catalog } = fixture();
    const { now } = await claimTurns(catalog, { holder: "a", due: dueOf("m") });
    await inTurn(catalog, (transaction) => moveTurns(transaction, new Map([["m", now - 1]])));
    expect((await claimTurns(catalog, { holder: "a", due: dueOf("m") })).ours).toEqual(["m"]);
    expect((await claimTurns(catalog, { holder: "b", due: dueOf("m") })).ours).toEqual([]);
    expect((await claimTurns(catalog, { holder: "b", due: dueOf("m"), now: new Set(["m"]) })).ours).toEqual(["m"]);
    await inTurn(catalog, (transaction) => moveTurns(transaction, new Map([["m", now + 400 * 86_400_000]])));
    expect((await claimTurns(catalog, { holder: "b", due: dueOf("m") })).ours).toEqual(["m"]);
  });

  test("a wish for a probe is a turn for one, whatever the leases say", async () => {
    const { catalog, open } = fixture();
    const other = await open();
    await addMirror(catalog, newMirror("m"), ROOM);
    await claimTurns(catalog, { holder: "a", due: dueOf("m"), wished: await readWantedProbes(catalog) });
    expect(await readWantedProbes(catalog)).toEqual([]);
    await wantProbe(catalog, "m", "2026-11-24T12:00:00.000Z");
    const wished = await readWantedProbes(catalog);
    expect((await claimTurns(other, { holder: "b", due: dueOf("m"), wished })).ours).toEqual(["m"]);
    expect((await claimTurns(catalog, { holder: "a", due: dueOf("m"), wished })).ours).toEqual([]);
  });

  test("probes are written whole when they say something new, else their time alone", async () => {
    const { catalog } = fixture();
    const failed = probeRow("gone", { failureKind: "timeout", failure: "does not answer in time" });
    await inTurn(catalog, (transaction, now) =>
      writeProbes(transaction, { changed: [probeRow("m"), failed], unchanged: [] }, now),
    );
    const first = await readProbes(catalog);
    expect(first.map(({ mirror, generation, failureKind }) => [mirror, generation, failureKind]).sort()).toEqual([
      ["gone", 7, "timeout"],
      ["m", 7, null],
    ]);
    const since = first[0]?.at ?? "";
    await new Promise((resolve) => setTimeout(resolve, 5));
    await inTurn(catalog, (transaction, now) =>
      writeProbes(transaction, { changed: [], unchanged: ["m", "gone"] }, now),
    );
    const later = await readProbes(catalog);
    const row = (name: string) => later.find(({ mirror }) => mirror === name);
    expect((row("m")?.at ?? "") > since && row("m")?.at === row("m")?.seenAt).toBe(true);
    // One that fails was not seen.
    expect(row("gone")).toMatchObject({ at: since, seenAt: null });
    expect((await readProbes(catalog, row("m")?.at)).map(({ mirror }) => mirror)).toEqual(["m"]);
    await inTurn(catalog, (transaction, now) =>
      writeProbes(transaction, { changed: [probeRow("m", { generation: 8, etag: null })], unchanged: [] }, now),
    );
    expect((await readProbes(catalog)).find(({ mirror }) => mirror === "m")).toMatchObject({
      generation: 8,
      etag: null,
    });
  });

  test("what a mirror has to have is read by the generation that it came with", async () => {
    const { catalog } = fixture();
    for (const [number, names] of [["a", "b"], ["c"], ["d"]].entries()) {
      const layers = { [AMD64]: names, [ARM64]: ["other"] };
      await recordImage(catalog, sampleImage({ tag: String(number), layers }));
      const next = ((await latestGeneration(catalog, AMD64))?.number ?? 0) + 1;
      const time = "2026-11-22T00:00:00Z";
      await recordGeneration(catalog, {
        platform: AMD64,
        number: next,
        time,
        files: 1,
        bytes: 1,
        listSha256: sha256Hex(""),
      });
    }
    const all = { platform: AMD64, after: 0, upTo: 3 };
    const newest = await readNewestCarried(catalog, all, 100);
    // Layers and a configuration for each.
    expect(newest.map(({ since }) => since)).toEqual([3, 3, 2, 2, 1, 1, 1]);
    expect(await readNewestCarried(catalog, { ...all, after: 1, upTo: 2 }, 100)).toHaveLength(2);
    expect(await readNewestCarried(catalog, all, 1)).toHaveLength(1);
    const byDigest = newest.map(({ digest }) => digest).sort();
    const middle = byDigest[3] ?? "";
    expect((await readCarriedFrom(catalog, all, middle, 100)).map(({ digest }) => digest)).toEqual(byDigest.slice(3));
    expect(await readCarriedFrom(catalog, all, middle, 100, byDigest[4])).toHaveLength(1);
    const [c] = await readCarried(catalog, all, [layerOf("c").digest, layerOf("nowhere").digest]);
    expect(c).toEqual({ digest: layerOf("c").digest, size: layerOf("c").size, since: 2 });
    // What was dropped is not asked for any more.
    await catalog.updateTable("platformBlob").set({ until: 4 }).where("digest", "=", layerOf("c").digest).execute();
    expect(await readCarried(catalog, all, [layerOf("c").digest])).toEqual([]);
  });

  test("audits are kept to the newest, but for the hashes of a day, which are a budget", async () => {
    const { catalog } = fixture();
    const digest = layerOf("a").digest;
    await catalog.insertInto("blob").values({ digest, size: 3_000_000_000, content: null }).execute();
    const audit = (kind: "head" | "hash", ok: number) => ({
      mirror: "m",
      platform: AMD64,
      kind,
      digest,
      ok,
      detail: "",
    });
    const now = Date.now();
    await writeAudits(catalog, [audit("hash", 1), audit("hash", 0)], now);
    await writeAudits(catalog, [audit("hash", 1)], now - 2 * 86_400_000);
    for (let index = 0; index < 20; index += 1) await writeAudits(catalog, [audit("head", index % 2)], now);
    expect(await readHashedBytes(catalog, "m", isoOf(now - 86_400_000))).toBe(6_000_000_000);
    expect(await readHashedBytes(catalog, "other", "")).toBe(0);
    await pruneAudits(catalog, 10, isoOf(now - 86_400_000));
    const kept = await readAudits(catalog, "m", 100);
    expect(kept.map(({ kind }) => kind)).toEqual([...Array.from({ length: 10 }, () => "head"), "hash", "hash"]);
    expect(failedBlobs(kept)).toEqual([]);
    await writeAudits(catalog, [audit("head", 0)], now);
    expect(failedBlobs(await readAudits(catalog, "m", 100))).toMatchObject([{ digest, platform: AMD64 }]);
  });

  test("the figures of an hour add up, whoever writes them", async () => {
    const { catalog } = fixture();
    const hour = hourOf(Date.parse("2026-11-24T12:34:56Z"));
    expect(hour).toBe("2026-11-24T12:00:00.000Z");
    for (const lagSeconds of [5, 90, 7]) {
      await addProbeHours(catalog, [{ mirror: "m", hour, probes: 4, failed: 1, lagSeconds }]);
      await addRedirectHours(catalog, [{ mirror: "m", hour, redirects: 2, bytes: 3_000_000_000 }]);
    }
    expect(await catalog.selectFrom("mirrorHour").selectAll().execute()).toEqual([
      { mirror: "m", hour, probes: 12, failed: 3, lagSeconds: 90 },
    ]);
    const [redirects] = await catalog.selectFrom("redirectHour").selectAll().execute();
    expect([Number(redirects?.redirects), Number(redirects?.bytes)]).toEqual([6, 9_000_000_000]);
  });

  test("a time that a generation came to the mirrors stays, and what is old goes", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("m"), ROOM);
    const row = { platform: AMD64, generation: 7, madeAt: "2026-11-24T12:00:00.000Z", mirrors: 10 };
    const nothing = { halfAt: null, ninetyAt: null, allAt: null };
    await notePropagation(catalog, [{ ...row, ...nothing, halfAt: "2026-11-24T12:01:00.000Z" }]);
    await notePropagation(catalog, [
      { ...row, ...nothing, mirrors: 11, halfAt: "2026-11-24T12:09:00.000Z", ninetyAt: "2026-11-24T12:05:00.000Z" },
    ]);
    expect(await readOpenPropagation(catalog)).toEqual([
      { ...row, ...nothing, mirrors: 11, halfAt: "2026-11-24T12:01:00.000Z", ninetyAt: "2026-11-24T12:05:00.000Z" },
    ]);
    await notePropagation(catalog, [{ ...row, ...nothing, allAt: "2026-11-24T12:10:00.000Z" }]);
    await notePropagation(catalog, [{ ...row, ...nothing, mirrors: 1, allAt: "2026-11-24T13:00:00.000Z" }]);
    expect(await readOpenPropagation(catalog)).toEqual([]);
    expect(await catalog.selectFrom("propagation").selectAll().execute()).toMatchObject([
      { mirrors: 10, allAt: "2026-11-24T12:10:00.000Z" },
    ]);
    const [old, recent] = ["2026-11-01T00:00:00.000Z", "2026-11-24T00:00:00.000Z"];
    for (const hour of [old, recent]) {
      await addProbeHours(catalog, [{ mirror: "m", hour, probes: 1, failed: 0, lagSeconds: 0 }]);
      await addRedirectHours(catalog, [{ mirror: "m", hour, redirects: 1, bytes: 1 }]);
    }
    const now = Date.now();
    await writeProbes(catalog, { changed: [probeRow("m"), probeRow("gone")], unchanged: [] }, now);
    await pruneHistory(catalog, "2026-11-20T00:00:00.000Z");
    expect((await catalog.selectFrom("mirrorHour").select("hour").execute()).map(({ hour }) => hour)).toEqual([recent]);
    expect((await catalog.selectFrom("redirectHour").select("hour").execute()).map(({ hour }) => hour)).toEqual([
      recent,
    ]);
    expect((await readProbes(catalog)).map(({ mirror }) => mirror)).toEqual(["m"]);
  });
};
