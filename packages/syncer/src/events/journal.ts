import { whenFree } from "@nearlayer/shared/catalog/busy";
import { type EventRecord, recordEvents } from "@nearlayer/shared/catalog/events";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Logger } from "@nearlayer/shared/log";
import type { Message } from "./message.ts";
import type { Metrics } from "./metrics.ts";
import { judge } from "./rules/judge.ts";
import type { Rule } from "./rules/presets.ts";
import { clean, cleanKey } from "./text.ts";

/** Where messages are written down before their senders hear that they arrived. */
export interface Journal {
  /**
   * Resolves once the message is on the disk, or was seen to be nothing of ours; rejects when it could not be written down:
   * then its sender must not be told that it arrived.
   */
  take(message: Message): Promise<void>;
  /** Writes down what cannot be read, for somebody to look at. */
  park(message: Message, reason: string): Promise<void>;
}

export interface JournalOptions {
  readonly catalog: Catalog;
  readonly rules: readonly Rule[];
  /** Does the configuration ask for the repository? */
  readonly isWanted: (repository: string) => boolean;
  /** So many events have just been written down. */
  readonly onRecorded: (count: number) => void;
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface Pending {
  readonly records: readonly EventRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What comes while one transaction is on its way to the disk goes into the next, all of it at once. */
export function createJournal(options: JournalOptions): Journal {
  const { catalog, rules, isWanted, onRecorded, metrics, log } = options;
  let pending: Pending[] = [];
  let isWriting = false;

  const write = async () => {
    isWriting = true;
    // Whatever has arrived in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      const records = batch.flatMap((one) => one.records);
      try {
        const ids = await whenFree(() => recordEvents(catalog, records, new Date()));
        countRecords(records, ids.length);
        for (const { resolve } of batch) resolve();
        if (ids.length > 0) onRecorded(ids.length);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isWriting = false;
  };
  const countRecords = (records: readonly EventRecord[], recorded: number) => {
    const isParked = ({ wanted }: EventRecord) => "parked" in wanted;
    for (const { source, topic, wanted } of records.filter(isParked)) {
      metrics.received(source, "parked");
      if ("parked" in wanted) log.warn({ source, topic, reason: wanted.parked }, "a message was parked");
    }
    for (const { source } of records.filter((record) => !isParked(record))) metrics.received(source, "journalled");
    const [first] = records;
    if (first !== undefined && recorded < records.length) {
      metrics.received(first.source, "duplicate", records.length - recorded);
    }
  };
  const add = (records: readonly EventRecord[]) =>
    new Promise<void>((resolve, reject) => {
      pending.push({ records, resolve, reject });
      if (!isWriting) void write();
    });

  return {
    async take(message) {
      const verdict = judge(rules, cleaned(message), isWanted);
      if ("records" in verdict) return add(verdict.records.map(cleanedRecord));
      metrics.received(message.source, "ignored");
      log.debug({ source: message.source, topic: clean(message.topic, 255), why: verdict.ignored }, "ignored");
    },
    async park(message, reason) {
      const { source, key, topic, body } = cleaned(message);
      const kept = "tooLarge" in body ? undefined : body;
      await add([cleanedRecord({ source, key, topic, part: 0, body: kept, wanted: { parked: reason } })]);
    },
  };
}

const cleaned = (message: Message): Message => ({
  ...message,
  key: cleanKey(message.key),
  topic: clean(message.topic, 255),
});

const cleanedRecord = (record: EventRecord): EventRecord =>
  "parked" in record.wanted ? { ...record, wanted: { parked: clean(record.wanted.parked, 1000) } } : record;
