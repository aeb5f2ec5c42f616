import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Config } from "@nearlayer/shared/config/schema";
import { type Checked, formatProblem } from "@nearlayer/shared/config/yaml";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { proofFileOf } from "@nearlayer/shared/proof";
import { openMmdbGeo } from "../../geo/mmdb.ts";
import { createCheckAsn } from "../../optin/check-asn.ts";
import { createOptIns } from "../../optin/opt-ins.ts";
import { parseOptIn, parseOptInJson, type Request } from "../../optin/parse.ts";
import type { Refusal } from "../../optin/refusal.ts";
import { rulesOf } from "../../optin/rules.ts";
import { type ListedMirror, listed } from "./list.ts";
import { withCatalog } from "./open.ts";

/** What the command line says of a mirror; what it leaves out, the file says. */
export interface AddOptions {
  readonly name?: string;
  readonly url?: string;
  readonly country?: string;
  readonly bandwidth?: string;
  readonly platforms?: readonly string[];
  readonly contact?: string;
  readonly asn?: string;
  readonly netblocks?: readonly string[];
  readonly private?: boolean;
  readonly allowPrivateAddress?: boolean;
}

export interface AddedMirror extends ListedMirror {
  /** Shown this once: the catalog keeps its sha256 alone. */
  readonly token: string;
  readonly proof: { readonly url: string; readonly content: string };
}

/** Opts a mirror in, for its admin. It is approved of by that, and still has to show its proof. */
export async function add(config: Config, file: string | undefined, options: AddOptions): Promise<AddedMirror> {
  const { allowPrivateAddress = false, ...said } = options;
  const rules = { ...rulesOf(config), ...(allowPrivateAddress ? { allowPrivateAddress } : {}) };
  const isSaid = Object.keys(said).length > 0;
  if ((file === undefined) !== isSaid) {
    throw new NearlayerError("USAGE", "a file or options, please, and not both", {
      hint: "mirrorlist mirror add mirror.yaml, or: mirrorlist mirror add --name NAME --url URL --country CC",
    });
  }
  const request =
    file === undefined
      ? checked(parseOptInJson(JSON.stringify(fromOptions(said)), rules), "command line")
      : checked(parseOptIn(await readText(file), rules), file);
  if (request.kind === "opt-out") {
    throw new NearlayerError("USAGE", `${file}: optOut: true`, { hint: `mirrorlist mirror remove ${request.name}` });
  }
  const { declared, token } = request;
  const geo = await openMmdbGeo(declared.asn === undefined ? {} : config.mirrorlist.geoip);
  return withCatalog(config, async (catalog) => {
    const checkAsn = createCheckAsn(geo);
    const optIns = createOptIns({ catalog, config: () => config, checkAsn, now: Date.now, byOperator: true });
    const outcome = await optIns.join(declared, token);
    if (outcome.kind === "refused") throw errorOf(outcome);
    if (outcome.kind !== "added") throw new Error(`join does not end with ${outcome.kind}`);
    const proof = proofFileOf(declared.url, outcome.record.proof ?? "");
    return { ...listed(outcome.record, config), token: outcome.token, proof };
  });
}

/** Words that are numbers or truths for the schema; what is none stays a word, for it to refuse. */
function fromOptions({ bandwidth, asn, ...words }: Omit<AddOptions, "allowPrivateAddress">) {
  const number = (text: string | undefined) => (text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  return { ...words, bandwidth: number(bandwidth), asn: number(asn?.replace(/^AS/i, "")) };
}

async function readText(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (cause) {
    throw new NearlayerError("USAGE", `${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function checked(parsed: Checked<Request>, place: string): Request {
  if (parsed.ok) return parsed.data;
  throw new NearlayerError(
    "CONFIG_INVALID",
    parsed.problems.map((problem) => formatProblem(place, problem)).join("\n"),
  );
}

function errorOf({ code, message, hint }: Refusal): NearlayerError {
  return new NearlayerError(code === "FULL" ? "LIMIT_EXCEEDED" : "USAGE", message, { hint });
}

export function summarizeAdded({ name, state, reason, token, proof }: AddedMirror): string {
  return [
    `${name} is ${state}: ${reason}`,
    "",
    `its token, which is shown this once:  ${token}`,
    `what it has to show:                  ${proof.content.trim()}`,
    `at:                                   ${proof.url}`,
    "",
    "on the mirror, in the folder that its web server serves there:",
    `  echo ${proof.content.trim()} > nearlayer-mirror.txt`,
    "",
    `It is looked at within a minute: mirrorlist mirror show ${name}`,
  ].join("\n");
}
