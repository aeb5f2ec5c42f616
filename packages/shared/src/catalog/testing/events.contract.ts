import { expect, test } from "vitest";
import { type Digest, digestOf } from "../../digest.ts";
import { parseRepository, parseTag } from "../../reference.ts";
import { dropEvents, listEvents, readEvent, readEvents, retryEvent } from "../event-list.ts";
import {
  countEvents,
  dueEvents,
  type EventGroup,
  type EventRecord,
  type GroupOutcome,
  nextEventAt,
  pruneEvents,
  readAuditedAt,
  recordAudit,
  recordEvents,
  settleEvents,
} from "../events.ts";
import type { ContractPart } from "./contract.ts";

const at = (second: number) => new Date(Date.UTC(2026, 10, 24, 12, 0, second));

function event(key: string, wanted: string, optional = false): EventRecord {
  const [repository = "", tag] = wanted.split(":");
  const reference = { repository: parseRepository(repository), ...(tag === undefined ? {} : { tag: parseTag(tag) }) };
  const body = Uint8Array.from([0, 255, 1]);
  return { source: "amqp", key, part: 0, topic: "a.topic", body, wanted: { ...reference, optional } };
}

const nameOf = ({ repository, tag }: EventGroup) => (tag === undefined ? repository : `${repository}:${tag}`);

export const eventsContract: ContractPart = (fixture) => {
  const settle = async (asOf: Date, outcome: (group: EventGroup) => GroupOutcome) => {
    const groups = await dueEvents(fixture().catalog, asOf, 100);
    await settleEvents(fixture().catalog, new Map(groups.map((group) => [group, outcome(group)])), { asOf, now: asOf });
  };

  test("an event is there once, however often and wherever it is told", async () => {
    const { catalog, open } = fixture();
    const events = [event("1", "test/a:1"), event("2", "test/a:1")];
    const ids = await recordEvents(catalog, events, at(0));
    expect(ids).toHaveLength(2);
    expect(await recordEvents(await open(), [...events, event("3", "test/b")], at(1))).toHaveLength(1);
    expect(await recordEvents(catalog, [{ ...event("1", "test/a:1"), part: 1 }], at(1))).toHaveLength(1);
    expect(await recordEvents(catalog, [{ ...event("1", "test/a:1"), source: "fedmsg" }], at(1))).toHaveLength(1);
    expect(await readEvent(catalog, ids[0] ?? 0)).toMatchObject({
      ...{ source: "amqp", key: "1", topic: "a.topic", receivedAt: at(0).toISOString(), state: "waiting" },
      ...{ repository: "test/a", tag: "1", attempts: 0, optional: 0 },
    });
    expect([...((await readEvent(catalog, ids[0] ?? 0))?.body ?? [])]).toEqual([0, 255, 1]);
  });

  test("many at once are one for each thing to sync, the longest waiting first", async () => {
    const { catalog } = fixture();
    const wanted = Array.from({ length: 1000 }, (_, index) => event(String(index), `test/r${index % 10}:1`));
    await recordEvents(catalog, [event("old", "test/old")], at(0));
    await recordEvents(catalog, wanted, at(1));
    const groups = await dueEvents(catalog, at(1), 100);
    expect(groups.map(nameOf)[0]).toBe("test/old");
    expect(groups).toHaveLength(11);
    expect(groups[1]).toMatchObject({ events: 100, attempts: 0, oldest: at(1).toISOString() });
    expect(await dueEvents(catalog, at(1), 3)).toHaveLength(3);
    expect(await countEvents(catalog)).toEqual({ waiting: 1001, parked: 0, oldestWaiting: at(0).toISOString() });
  });

  test("of what the tag is to be, the newest counts", async () => {
    const { catalog } = fixture();
    const told = (key: string, digest?: Digest): EventRecord => {
      const record = event(key, "test/a:1");
      return { ...record, wanted: { ...record.wanted, ...(digest === undefined ? {} : { digest }) } };
    };
    await recordEvents(catalog, [told("1", digestOf("old")), told("2", digestOf("new"))], at(0));
    expect(await dueEvents(catalog, at(0), 10)).toMatchObject([{ digest: digestOf("new") }]);
    await recordEvents(catalog, [told("3")], at(0));
    expect((await dueEvents(catalog, at(0), 10)).map(({ digest }) => digest)).toEqual([undefined]);
  });

  test("what comes while a sync runs waits for the next one", async () => {
    const { catalog } = fixture();
    await recordEvents(catalog, [event("1", "test/a:1"), event("2", "test/a")], at(0));
    const groups = await dueEvents(catalog, at(0), 100);
    await recordEvents(catalog, [event("3", "test/a:1")], at(0));
    const done = new Map(groups.map((group) => [group, { state: "done" as const }]));
    await settleEvents(catalog, done, { asOf: at(0), now: at(5) });
    expect((await dueEvents(catalog, at(6), 100)).map(nameOf)).toEqual(["test/a:1"]);
    expect(await countEvents(catalog)).toMatchObject({ waiting: 1 });
  });

  test("one that failed waits for its time, counts, and is parked in the end", async () => {
    const { catalog } = fixture();
    const [id = 0] = await recordEvents(catalog, [event("1", "test/a:1", true)], at(0));
    await settle(at(0), () => ({ state: "waiting", reason: "no such tag", notBefore: at(30) }));
    expect(await dueEvents(catalog, at(29), 100)).toEqual([]);
    expect(await nextEventAt(catalog)).toEqual(at(30));
    expect(await dueEvents(catalog, at(30), 100)).toMatchObject([{ attempts: 1, optional: true }]);
    await settle(at(30), () => ({ state: "parked", reason: "still no such tag" }));
    expect(await nextEventAt(catalog)).toBeUndefined();
    expect(await readEvents(catalog, [id])).toMatchObject([
      { state: "parked", attempts: 2, reason: "still no such tag", finishedAt: at(30).toISOString() },
    ]);
    expect(await countEvents(catalog)).toEqual({ waiting: 0, parked: 1, oldestWaiting: undefined });
  });

  test("what is asked for again while a sync runs is not done with it", async () => {
    const { catalog } = fixture();
    const [id = 0] = await recordEvents(catalog, [event("1", "test/a:1")], at(0));
    const [group] = await dueEvents(catalog, at(0), 1);
    if (group === undefined) throw new Error("nothing is due");
    await retryEvent(catalog, id, { repository: parseRepository("test/a"), tag: parseTag("1"), now: at(2) });
    await settleEvents(catalog, new Map([[group, { state: "done" }]]), { asOf: at(1), now: at(3) });
    expect(await dueEvents(catalog, at(4), 1)).toHaveLength(1);
  });

  test("a malformed one is parked with its reason, and waits for nobody", async () => {
    const { catalog } = fixture();
    const wanted = { parked: "not JSON" };
    const [id = 0] = await recordEvents(catalog, [{ ...event("1", "test/a"), body: undefined, wanted }], at(0));
    expect(await dueEvents(catalog, at(1), 10)).toEqual([]);
    expect(await listEvents(catalog, { states: ["parked"], limit: 10 })).toMatchObject([
      { id, reason: "not JSON", repository: null, tag: null },
    ]);
    await retryEvent(catalog, id, { repository: parseRepository("test/b"), now: at(2) });
    expect((await dueEvents(catalog, at(2), 10)).map(nameOf)).toEqual(["test/b"]);
  });

  test("what was dropped does not come again", async () => {
    const { catalog } = fixture();
    const ids = await recordEvents(catalog, [event("1", "test/a"), event("2", "test/b")], at(0));
    await dropEvents(catalog, ids.slice(0, 1), at(1));
    expect(await recordEvents(catalog, [event("1", "test/a")], at(2))).toEqual([]);
    expect((await dueEvents(catalog, at(2), 10)).map(nameOf)).toEqual(["test/b"]);
  });

  test("what is done is forgotten in time, and what waits or is parked is not", async () => {
    const { catalog } = fixture();
    await recordEvents(
      catalog,
      ["done", "parked", "waiting"].map((name) => event(name, `test/${name}`)),
      at(0),
    );
    await settle(at(0), (group) => {
      const name = nameOf(group);
      if (name === "test/done") return { state: "done" };
      return name === "test/parked"
        ? { state: "parked", reason: "x" }
        : { state: "waiting", reason: "x", notBefore: at(9) };
    });
    await pruneEvents(catalog, at(0));
    expect(await listEvents(catalog, { states: ["done"], limit: 10 })).toHaveLength(1);
    await pruneEvents(catalog, at(1));
    expect(await listEvents(catalog, { states: ["done", "parked", "waiting"], limit: 10 })).toHaveLength(2);
  });

  test("an event outlives the process that wrote it down, however that ends", async () => {
    const { startWriter, open } = fixture();
    const writer = startWriter("events");
    expect(await writer.nextLine()).toBe("written down");
    await writer.kill();
    expect(await countEvents(await open())).toMatchObject({ waiting: 1 });
  });

  test("when the source was last looked through is kept", async () => {
    const { catalog } = fixture();
    expect(await readAuditedAt(catalog)).toBeUndefined();
    await recordAudit(catalog, at(1));
    await recordAudit(catalog, at(2));
    expect(await readAuditedAt(catalog)).toEqual(at(2));
  });
};
