import { NearlayerError } from "@nearlayer/shared/errors";
import { expect, test } from "vitest";
import { connectionError, isTransient, isTransientStatus } from "./errors.ts";

const failing = (code: string) => Object.assign(new Error(`it failed: ${code}`), { code });

test.each([
  ["ECONNREFUSED", false, "SOURCE_UNREACHABLE", false],
  ["ENOTFOUND", false, "SOURCE_UNREACHABLE", false],
  ["ECONNREFUSED", true, "SOURCE_UNREACHABLE", true],
  ["CONNECT_TIMEOUT", false, "SOURCE_UNREACHABLE", false],
  ["EAI_AGAIN", true, "SOURCE_UNREACHABLE", true],
  ["ANSWER_TIMEOUT", false, "SOURCE_UNREACHABLE", true],
  ["ANSWER_TIMEOUT", true, "SOURCE_BROKE_OFF", true],
  ["BODY_TIMEOUT", true, "SOURCE_BROKE_OFF", true],
  ["ECONNRESET", true, "SOURCE_BROKE_OFF", true],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", true, "SOURCE_UNREACHABLE", false],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false, "SOURCE_UNREACHABLE", false],
  ["CERT_HAS_EXPIRED", false, "SOURCE_UNREACHABLE", false],
  ["ERR_TLS_CERT_ALTNAME_INVALID", false, "SOURCE_UNREACHABLE", false],
])("%s (answered before: %s) is %s, worth asking again: %s", (code, hasAnswered, expected, again) => {
  const error = connectionError(failing(code), "http://127.0.0.1:1", hasAnswered);
  expect([error.code, error.isTransient]).toEqual([expected, again]);
});

test.each([
  [400, false],
  [401, false],
  [404, false],
  [408, true],
  [429, true],
  [500, true],
  [501, false],
  [503, true],
])("%d is worth asking again: %s", (status, expected) => {
  expect(isTransientStatus(status)).toBe(expected);
});

test.each([
  [new NearlayerError("DIGEST_MISMATCH", ""), true],
  [new NearlayerError("SIZE_MISMATCH", ""), true],
  [new NearlayerError("NOT_FOUND", ""), false],
  [new NearlayerError("DISK_FULL", ""), false],
  [failing("ENOSPC"), false],
  [new Error("a bug"), false],
])("%s is worth trying again: %s", (error, expected) => {
  expect(isTransient(error)).toBe(expected);
});
