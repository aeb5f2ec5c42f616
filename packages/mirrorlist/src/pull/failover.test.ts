import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parseRepository } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import { clientOf, parseAddress } from "../selection/client.ts";
import { seedOf } from "../selection/rendezvous.ts";
import { createFailover, pullerOf } from "./failover.ts";

const [ONE, TWO] = [digestOf("one"), digestOf("two")] as [Digest, Digest];
const puller = (address: string, agent: string, repository: string) => {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`${address} is no address`);
  return pullerOf(clientOf(parsed), agent, parseRepository(repository));
};
const DOCKER = puller("192.0.2.1", "docker/20", "fedora/app");

test("another address, program, repository or blob is another pull", () => {
  const failover = createFailover(() => 0);
  const first = () => failover.ask(DOCKER, ONE, "whole");
  failover.announce(DOCKER, [ONE, TWO]);
  expect(first()).toEqual({ times: 0, mirrors: [] });
  failover.sent(DOCKER, ONE, "http://m1/");
  expect(first()).toEqual({ times: 1, mirrors: ["http://m1/"] });
  const others = [
    puller("192.0.2.2", "docker/20", "fedora/app"),
    puller("192.0.2.1", "containerd/2", "fedora/app"),
    puller("192.0.2.1", "docker/20", "fedora/other"),
  ];
  for (const other of others) expect(failover.ask(other, ONE, "whole").times).toBe(0);
  expect(failover.ask(DOCKER, TWO, "whole").times).toBe(0);
});

test("an image is asked for again when all of its layers were named before, and one of them was asked for", () => {
  const failover = createFailover(() => 0);
  failover.named(DOCKER, ONE, "http://m1/");
  expect(failover.isRerun(DOCKER, [ONE])).toBe(true);
  // Another image with one layer more.
  expect(failover.isRerun(DOCKER, [ONE, TWO])).toBe(false);
  expect(failover.isRerun(DOCKER, [])).toBe(false);
  failover.announce(DOCKER, [ONE]);
  expect(failover.ask(DOCKER, ONE, "whole")).toEqual({ times: 1, mirrors: ["http://m1/"] });
});

test("what is remembered is bounded", () => {
  const failover = createFailover(() => 0);
  failover.named(DOCKER, ONE, "http://m1/");
  for (let index = 0; index < 100_000; index++) {
    failover.announce(seedOf(`${index}`) as typeof DOCKER, [TWO]);
  }
  expect(failover.isRerun(DOCKER, [ONE])).toBe(false);
});
