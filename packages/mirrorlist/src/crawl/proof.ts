import { isProofOf } from "@nearlayer/shared/catalog/mirrors";
import { PROOF_FILE } from "@nearlayer/shared/proof";
import { describeRequestError, type MirrorAgent } from "../mirrors/agent.ts";
import type { Mirror } from "../mirrors/mirror.ts";

const MAX_PROOF_BYTES = 200;

export interface ProofSeen {
  readonly ok: boolean;
  /** A clause for people. */
  readonly detail: string;
}

/** Reads the proof; never throws. The mirror shows the sha256 of its token, which is what the catalog has. */
export async function checkProof(
  mirror: Mirror,
  proof: string,
  means: { readonly agent: MirrorAgent; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<ProofSeen> {
  try {
    const { statusCode, body } = await means.agent.request(`${mirror.url}${PROOF_FILE}`, {
      method: "GET",
      timeoutMs: means.timeoutMs,
      allowPrivateAddress: mirror.allowPrivateAddress,
      ...(means.signal === undefined ? {} : { signal: means.signal }),
    });
    if (statusCode !== 200) {
      body.on("error", () => undefined).destroy();
      return { ok: false, detail: `answers ${statusCode} for ${PROOF_FILE}` };
    }
    let text = "";
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString("latin1");
      if (text.length > MAX_PROOF_BYTES)
        return { ok: false, detail: `${PROOF_FILE} is larger than ${MAX_PROOF_BYTES} bytes` };
    }
    return isProofOf({ proof }, text.trim())
      ? { ok: true, detail: "shows its proof" }
      : { ok: false, detail: `${PROOF_FILE} is not the proof of this mirror` };
  } catch (error) {
    return { ok: false, detail: `${PROOF_FILE}: ${describeRequestError(error).message}` };
  }
}
