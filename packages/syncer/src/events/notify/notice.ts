import type { NoticeRecord, Propagated } from "@nearlayer/shared/catalog/notices";
import type { EventsConfig } from "@nearlayer/shared/config/events";
import type { Generation } from "@nearlayer/shared/generation";

type Notify = EventsConfig["notify"];

/** The destination that stands for a message on the bus. */
export const AMQP = "amqp";

const DEFAULT_TOPIC = "org.nearlayer";

/** Who is told. */
export function destinationsOf({ webhooks, amqp }: Notify): string[] {
  return [...webhooks.map(({ url }) => url), ...(amqp === undefined ? [] : [AMQP])];
}

/** A generation of a platform is out: every target has it. */
export function publishedNotice({ platform, number, time, files, bytes }: Generation, notify: Notify): NoticeRecord {
  return noticeOf(`published ${platform} ${number}`, "generation.published", notify, {
    ...{ platform, generation: number, time, files, bytes },
  });
}

/** So many of the mirrors have a generation. */
export function propagatedNotice({ at, ...row }: Propagated, notify: Notify): NoticeRecord {
  const { platform, generation, mirrors, madeAt } = row;
  const key = `propagated ${platform} ${generation} ${notify.percent}`;
  const body = { platform, generation, percent: notify.percent, mirrors, time: madeAt, reachedAt: at };
  return noticeOf(key, "generation.propagated", notify, body);
}

function noticeOf(key: string, what: string, { amqp }: Notify, body: object): NoticeRecord {
  const topic = `${amqp?.topic ?? DEFAULT_TOPIC}.${what}`;
  return { key, topic, body: JSON.stringify({ event: what, ...body }) };
}
