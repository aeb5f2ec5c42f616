import { expect, test } from "vitest";
import { digestOf } from "../../digest.ts";
import { sha256Hex } from "../../generation.ts";
import * as view from "../network-view.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64, ARM64 } from "./samples.ts";

const hour = (number: number) => `2026-11-22T${String(number).padStart(2, "0")}:00:00.000Z`;

export const networkViewContract: ContractPart = (fixture) => {
  test("the last audits and probes of one mirror, and of no other", async () => {
    const { catalog } = fixture();
    for (const mirror of ["a", "b"]) {
      for (const number of [1, 2, 3]) {
        const audit = { mirror, at: hour(number), platform: AMD64, kind: "hash", ok: number % 2 } as const;
        await catalog
          .insertInto("mirrorAudit")
          .values({ ...audit, digest: number === 1 ? null : digestOf("x"), detail: `${mirror} ${number}` })
          .execute();
      }
      for (const platform of [ARM64, AMD64]) {
        const probe = { mirror, platform, at: hour(3), seenAt: hour(2), generation: 6, shown: 7, failure: "late" };
        await catalog
          .insertInto("mirrorProbe")
          .values({ ...probe, etag: null, lastModified: null, failureKind: "timeout" })
          .execute();
      }
    }
    const audits = await view.readAudits(catalog, "a", 2);
    expect(audits).toStrictEqual([
      { at: hour(3), platform: AMD64, kind: "hash", digest: digestOf("x"), ok: true, detail: "a 3" },
      { at: hour(2), platform: AMD64, kind: "hash", digest: digestOf("x"), ok: false, detail: "a 2" },
    ]);
    const probe = { at: hour(3), seenAt: hour(2), generation: 6, shown: 7, failure: "late" };
    expect(await view.readProbes(catalog, "b")).toStrictEqual([
      { platform: AMD64, ...probe },
      { platform: ARM64, ...probe },
    ]);
  });

  test("hours and redirects are those of the time that is asked for", async () => {
    const { catalog } = fixture();
    for (const mirror of ["a", "b"]) {
      for (const number of [1, 2, 3]) {
        const probes = { mirror, hour: hour(number), probes: 60, failed: number, lagSeconds: 10 * number };
        await catalog.insertInto("mirrorHour").values(probes).execute();
        const redirects = { mirror, hour: hour(number), redirects: number, bytes: 5_000_000_000 };
        await catalog.insertInto("redirectHour").values(redirects).execute();
      }
    }
    expect(await view.readHours(catalog, "a", hour(2))).toStrictEqual([
      { mirror: "a", hour: hour(2), probes: 60, failed: 2, lagSeconds: 20 },
      { mirror: "a", hour: hour(3), probes: 60, failed: 3, lagSeconds: 30 },
    ]);
    const redirects = await view.readRedirects(catalog, hour(2), hour(3));
    expect(redirects.toSorted((a, b) => (a.mirror < b.mirror ? -1 : 1))).toStrictEqual([
      { mirror: "a", redirects: 2, bytes: 5_000_000_000 },
      { mirror: "b", redirects: 2, bytes: 5_000_000_000 },
    ]);
    expect(await view.readRedirectsOf(catalog, "a", hour(2))).toStrictEqual({
      ...{ mirror: "a", redirects: 5, bytes: 10_000_000_000 },
    });
    expect(await view.readRedirectsOf(catalog, "c", hour(2))).toStrictEqual({ mirror: "c", redirects: 0, bytes: 0 });
  });

  test("how the last generations travelled", async () => {
    const { catalog } = fixture();
    for (const generation of [1, 2, 3]) {
      const travel = { platform: AMD64, generation, madeAt: hour(generation), mirrors: 4, halfAt: hour(5) };
      await catalog
        .insertInto("propagation")
        .values({ ...travel, ninetyAt: hour(6), allAt: null })
        .execute();
    }
    const generations = async (since: string, limit: number) =>
      (await view.readTravels(catalog, since, limit)).map(({ generation }) => generation);
    expect(await generations(hour(2), 9)).toStrictEqual([3, 2]);
    expect(await generations(hour(1), 1)).toStrictEqual([3]);
    expect(await view.readTravels(catalog, hour(3), 1)).toStrictEqual([
      {
        ...{ platform: AMD64, generation: 3, madeAt: hour(3), mirrors: 4 },
        ...{ halfAt: hour(5), ninetyAt: hour(6), allAt: null },
      },
    ]);
  });

  test("the newest generation of each platform, and when those before it were made", async () => {
    const { catalog } = fixture();
    const generationOf = (number: number) => ({
      ...{ number, time: hour(number), files: number, bytes: 10 * number, listSha256: sha256Hex(String(number)) },
    });
    for (const number of [1, 2, 3]) {
      await catalog
        .insertInto("generation")
        .values({ platform: AMD64, ...generationOf(number) })
        .execute();
    }
    await catalog
      .insertInto("generation")
      .values({ platform: ARM64, ...generationOf(1) })
      .execute();
    const times = (numbers: number[]) => numbers.map((number) => ({ number, time: hour(number) }));
    expect(await view.readGenerationTimes(catalog, 2)).toStrictEqual([
      { newest: { platform: AMD64, ...generationOf(3) }, times: times([3, 2]) },
      { newest: { platform: ARM64, ...generationOf(1) }, times: times([1]) },
    ]);
  });
};
