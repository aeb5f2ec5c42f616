import type { IncomingMessage, ServerResponse } from "node:http";
import { MAX_BYTES } from "../../optin/parse.ts";
import { type ApiError, apiError } from "./error.ts";

const JSON_TYPES = new Set(["application/json", "text/json"]);

/** The text of a request, as far as it says what it is: else YAML, of which JSON is a part. */
export interface Body {
  readonly text: string;
  readonly isJson: boolean;
}

/** Reads a body of at most MAX_BYTES. The server's own limits say how long it may take. */
export async function readBody(request: IncomingMessage, response: ServerResponse): Promise<Body | ApiError> {
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding !== "identity") return apiError("MEDIA_TYPE", `a body in ${encoding}`, "send it as it is");
  if (Number(request.headers["content-length"] ?? 0) > MAX_BYTES) return TOO_LARGE;
  if (request.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BYTES) return TOO_LARGE;
    chunks.push(chunk);
  }
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return { text: Buffer.concat(chunks).toString("utf8"), isJson: JSON_TYPES.has(type) };
}

const TOO_LARGE = apiError("TOO_LARGE", `larger than ${MAX_BYTES} bytes`, "an opt-in file has a dozen lines");
