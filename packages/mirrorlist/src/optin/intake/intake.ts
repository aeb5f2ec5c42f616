import { rm } from "node:fs/promises";
import { formatProblem } from "@nearlayer/shared/config/yaml";
import type { Rules } from "../limits.ts";
import type { OptIns } from "../opt-ins.ts";
import { parseOptIn, type Request } from "../parse.ts";
import { invalid, type Refusal } from "../refusal.ts";
import { readUpload, type Upload, Uploads } from "./folder.ts";
import { reject } from "./reject.ts";

/** What has become of an upload. */
export interface IntakeResult {
  readonly file: string;
  readonly result: "added" | "changed" | "unchanged" | "removed" | "checked in" | "rejected";
  readonly mirror?: string;
  /** Why it was rejected. */
  readonly reason?: string;
}

export interface Intake {
  /**
   * Works through the uploads that are whole by now; it takes two looks to know. An upload is moved aside, then written
   * to the catalog, then deleted: killed in between, it is written again, which changes nothing. Throws when the catalog
   * or the folder is out of reach, and what was not done is done by the next pass.
   */
  pass(now: number): Promise<IntakeResult[]>;
}

export function createIntake(folder: string, optIns: OptIns, rules: () => Rules): Intake {
  const uploads = new Uploads(folder);
  const finish = async (upload: Upload): Promise<IntakeResult | undefined> => {
    const answer = await answerUpload(upload, optIns, rules());
    if (answer === undefined) return undefined;
    const mirror = upload.means === undefined ? {} : { mirror: upload.means.mirror };
    if (typeof answer === "string") {
      await rm(upload.path, { force: true });
      return { file: upload.file, result: answer, ...mirror };
    }
    await reject(folder, upload, `${answer.message}\nhint: ${answer.hint}`);
    return { file: upload.file, result: "rejected", ...mirror, reason: answer.message };
  };
  return {
    async pass(now) {
      const results: IntakeResult[] = [];
      const { taken, whole } = await uploads.look(now);
      const work = async (upload: Upload | undefined) => {
        const result = upload && (await finish(upload));
        if (result !== undefined) results.push(result);
      };
      for (const upload of taken) await work(upload);
      for (const upload of whole) await work(upload.means === undefined ? upload : await uploads.take(upload));
      return results;
    },
  };
}

type Done = Exclude<IntakeResult["result"], "rejected">;

async function answerUpload(upload: Upload, optIns: OptIns, rules: Rules): Promise<Done | Refusal | undefined> {
  const { means } = upload;
  if (means === undefined) return invalid(["not a name for an upload: NAME.yaml or NAME.checkin"]);
  const bytes = await readUpload(upload);
  if (bytes === undefined) return undefined;
  if (typeof bytes === "string") return invalid([bytes]);
  if (means.kind === "checkin") {
    const noted = await optIns.checkIn(means.mirror);
    return noted.kind === "refused" ? noted : "checked in";
  }
  const parsed = parseOptIn(bytes.toString("utf8"), rules);
  if (!parsed.ok) return invalid(parsed.problems.map((problem) => formatProblem(upload.file, problem)));
  const name = nameOf(parsed.data);
  if (name !== means.mirror) return invalid([`${upload.file}: name: ${name}, in a file that is named otherwise`]);
  const outcome = await optIns.submit(parsed.data);
  if (outcome.kind !== "refused") return outcome.kind;
  // Who is not there has left: perhaps by this very upload, before somebody pulled the plug.
  return parsed.data.kind === "opt-out" && outcome.code === "UNKNOWN" ? "removed" : outcome;
}

const nameOf = (request: Request) => (request.kind === "opt-in" ? request.declared.name : request.name);
