import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { readBounded } from "../body.ts";
import type { Authorizer } from "./auth/authorizer.ts";
import { isTransientStatus, RequestError } from "./errors.ts";
import type { Answer, Ask, Transport } from "./transport.ts";

/** The largest listing page, in bytes. */
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
/** How much of an error document is read to find its reason, in bytes. */
const MAX_ERROR_BYTES = 4096;

/** Asks as whoever we are: shows credentials when the registry wants them, and once more when they have expired. */
export async function askAs(
  authorizer: Authorizer,
  transport: Transport,
  scope: string,
  ask: Omit<Ask, "authorization">,
): Promise<Answer> {
  const authorization = await authorizer.header(scope);
  const answer = await transport.ask({ ...ask, authorization });
  if (answer.statusCode !== 401) return answer;
  const better = await authorizer.answer(answer.headers["www-authenticate"], scope, authorization);
  if (better === undefined) return answer;
  await answer.dump();
  return transport.ask({ ...ask, authorization: better });
}

/** The error that an answer other than the wanted one means. Reads the body for the registry's own reason. */
export async function refusal(answer: Answer, what: string, name: string): Promise<RequestError> {
  const { statusCode: status } = answer;
  const text = await readBounded(answer.pour, MAX_ERROR_BYTES, what).then(
    (bytes) => Buffer.from(bytes).toString("utf8"),
    () => "",
  );
  const word = /"message"\s*:\s*"([^"\\]{1,200})"/.exec(text)?.[1];
  const reason = `${status}${word === undefined ? "" : ` (${word})`}`;
  if (status === 404) {
    const options = { isTransient: false, status };
    return new RequestError("NOT_FOUND", `${what} is not in registry ${name}: ${reason}`, options);
  }
  return new RequestError("SOURCE_REFUSED", `registry ${name} answers ${reason} to ${what}`, {
    isTransient: isTransientStatus(status),
    status,
    ...(status === 401 || status === 403 ? { hint: CREDENTIALS_HINT } : {}),
  });
}

const CREDENTIALS_HINT = "set source.username and source.passwordFile, or log in with docker login";

/** The JSON document in an answer, bounded. */
export async function readJson(answer: Answer, what: string): Promise<unknown> {
  const bytes = await readBounded(answer.pour, MAX_DOCUMENT_BYTES, what);
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new NearlayerError("SOURCE_REFUSED", `${what} is not JSON: ${messageOf(cause)}`, {
      cause,
      hint: "is source.url a registry?",
    });
  }
}
