import { expect, test } from "vitest";
import { dueNotices, pruneNotices, readPropagated, recordNotices, settleNotice } from "../notices.ts";
import type { ContractPart } from "./contract.ts";
import { AMD64 } from "./samples.ts";

const at = (second: number) => new Date(Date.UTC(2026, 10, 24, 12, 0, second));
const notice = (key: string) => ({ key, topic: "org.nearlayer.generation", body: "{}" });

export const noticesContract: ContractPart = (fixture) => {
  test("a notice is there once for each destination, until it is taken", async () => {
    const { catalog } = fixture();
    const destinations = ["http://127.0.0.1/hook", "amqp"];
    expect(await recordNotices(catalog, [notice("a")], destinations, at(0))).toBe(2);
    expect(await recordNotices(catalog, [notice("a"), notice("b")], destinations, at(1))).toBe(2);
    expect(await recordNotices(catalog, [], destinations, at(1))).toBe(0);
    const [first, second, ...rest] = await dueNotices(catalog, at(1), 10);
    if (first === undefined || second === undefined) throw new Error("nothing is due");
    expect(rest.map(({ key }) => key)).toEqual(["b", "b"]);
    await settleNotice(catalog, first, { finishedAt: at(2) });
    await settleNotice(catalog, second, { notBefore: at(9), reason: "refused" });
    expect(await dueNotices(catalog, at(8), 10)).toHaveLength(2);
    expect(await dueNotices(catalog, at(9), 10)).toHaveLength(3);
    expect((await dueNotices(catalog, at(9), 10))[0]).toMatchObject({ attempts: 1, reason: "refused" });
    await pruneNotices(catalog, at(3));
    expect(await recordNotices(catalog, [notice("a")], destinations, at(10))).toBe(1);
  });

  test("how far a generation has come is read by the share that is asked for", async () => {
    const { catalog } = fixture();
    const row = { platform: AMD64, mirrors: 10, madeAt: at(5).toISOString(), allAt: null };
    const halfAt = at(10).toISOString();
    await catalog
      .insertInto("propagation")
      .values([
        { ...row, generation: 1, halfAt, ninetyAt: at(20).toISOString() },
        { ...row, generation: 2, halfAt, ninetyAt: null },
      ])
      .execute();
    const generations = async (percent: 50 | 90 | 100, since: Date) =>
      (await readPropagated(catalog, percent, since)).map(({ generation, at: time }) => [generation, time]);
    expect(await generations(50, at(0))).toEqual([
      [1, halfAt],
      [2, halfAt],
    ]);
    expect(await generations(90, at(0))).toEqual([[1, at(20).toISOString()]]);
    expect(await generations(100, at(0))).toEqual([]);
    expect(await generations(50, at(6))).toEqual([]);
  });
};
