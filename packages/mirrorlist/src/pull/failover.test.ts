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
  failover.give(DOCKER, [{ layer: ONE }, { layer: TWO }]);
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
  failover.give(DOCKER, [{ layer: ONE, mirror: "http://m1/" }]);
  expect(failover.isRerun(DOCKER, [{ layer: ONE }])).toBe(true);
  // Another image with one layer more.
  expect(failover.isRerun(DOCKER, [{ layer: ONE }, { layer: TWO }])).toBe(false);
  expect(failover.isRerun(DOCKER, [])).toBe(false);
  failover.give(DOCKER, [{ layer: ONE }]);
  expect(failover.ask(DOCKER, ONE, "whole")).toEqual({ times: 1, mirrors: ["http://m1/"] });
});

test("who has not been failed is sent to the nearest mirror, which is left out when the puller comes again", () => {
  const failover = createFailover(() => 0);
  expect(failover.ask(DOCKER, ONE, "whole", "http://m1/")).toEqual({ times: 0, mirrors: [] });
  expect(failover.ask(DOCKER, ONE, "whole", "http://m1/")).toEqual({ times: 1, mirrors: ["http://m1/"] });
  failover.sent(DOCKER, ONE, "http://m2/");
  expect(failover.ask(DOCKER, ONE, "whole", "http://m1/")).toEqual({ times: 2, mirrors: ["http://m1/", "http://m2/"] });
});

test("a manifest counts from when it was given, one after the other", () => {
  let now = 0;
  const failover = createFailover(() => now);
  const layers = [{ layer: ONE }];
  // Two at once are a crowd, whose pulls all begin at the first choice.
  for (const _ of [1, 2]) failover.give(DOCKER, layers);
  now = 5 * 60_000;
  for (const _ of [1, 2]) expect(failover.ask(DOCKER, ONE, "whole", "http://m1/").times).toBe(0);
  expect(failover.ask(DOCKER, ONE, "whole", "http://m1/").times).toBe(1);
  // What was named is forgotten after ten minutes, though nobody has looked meanwhile.
  failover.give(DOCKER, [{ layer: TWO, mirror: "http://m1/" }]);
  now += 11 * 60_000;
  expect(failover.ask(DOCKER, TWO, "whole", "http://m1/").times).toBe(0);
});

test("what is remembered is bounded", () => {
  const failover = createFailover(() => 0);
  failover.give(DOCKER, [{ layer: ONE, mirror: "http://m1/" }]);
  for (let index = 0; index < 100_000; index++) {
    failover.give(seedOf(`${index}`) as typeof DOCKER, [{ layer: TWO }]);
  }
  expect(failover.isRerun(DOCKER, [{ layer: ONE }])).toBe(false);
});
