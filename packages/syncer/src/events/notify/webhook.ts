import type { Notice } from "@nearlayer/shared/catalog/notices";
import { signatureOf } from "../secret.ts";

/** How long a receiver may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** A webhook that is told of generations. */
export interface NoticeHook {
  readonly url: string;
  readonly secret: string;
  readonly signatureHeader: string;
}

/** Posts a notice, signed. Rejects unless the answer is a 2xx; a redirect is none, since the body is signed for one place. */
export async function postNotice(
  { url, secret, signatureHeader }: NoticeHook,
  notice: Notice,
  id: string,
): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: {
      "Content-Type": "application/json",
      "X-Nearlayer-Event": notice.topic,
      "X-Nearlayer-Delivery": id,
      [signatureHeader]: `sha256=${signatureOf(notice.body, secret)}`,
    },
    body: notice.body,
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}
