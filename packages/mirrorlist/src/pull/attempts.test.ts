import { describe, expect, test } from "vitest";
import {
  type Attempts,
  announce,
  ask,
  isAwaited,
  mayRerun,
  named,
  sent,
  type Wanted,
  WINDOW_MS,
  wantedBy,
} from "./attempts.ts";

const MIRRORS = ["m1", "m2", "m3", "m4"];

/** One puller and one blob; each request is sent to the first mirror that has not failed it. */
function createPuller() {
  let attempts: Attempts | undefined;
  const puller = {
    clock: 1_000_000,
    getManifest() {
      attempts = announce(attempts, puller.clock);
    },
    /** The mirror that the request is sent to; after three that failed, the origin. */
    getBlob(wanted: Wanted = "whole") {
      attempts = ask(attempts, wanted, puller.clock);
      const { failed, sentTo } = attempts;
      if (failed >= 3) return "origin";
      const left = MIRRORS.filter((mirror) => !sentTo.slice(0, failed).includes(mirror));
      attempts = sent(attempts, left[0] ?? "", puller.clock);
      return left[0];
    },
    /** A whole pull whose mirror serves it. */
    pull() {
      puller.getManifest();
      return puller.getBlob();
    },
    isRerun: () => mayRerun(attempts, puller.clock) && !isAwaited(attempts, puller.clock),
  };
  return puller;
}

const times = <T>(count: number, action: () => T) => Array.from({ length: count }, action);
const countOf = (answers: readonly unknown[]) =>
  Object.fromEntries([...Map.groupBy(answers, (answer) => answer)].map(([answer, same]) => [answer, same.length]));

describe("one client", () => {
  test("that asks again within a pull gets the next mirror each time, and then the origin", () => {
    const docker = createPuller();
    docker.getManifest();
    expect(times(6, () => docker.getBlob())).toEqual(["m1", "m2", "m3", "origin", "origin", "origin"]);
  });

  test("that begins anew gets the next one as well", () => {
    const podman = createPuller();
    expect(times(4, podman.pull)).toEqual(["m1", "m2", "m3", "origin"]);
  });

  test("that asks for the rest was failed, however long the beginning took", () => {
    const docker = createPuller();
    expect(docker.pull()).toBe("m1");
    docker.clock += 5 * WINDOW_MS;
    expect(docker.getBlob("rest")).toBe("m2");
  });

  test("that takes a blob in pieces gets all of them from one mirror", () => {
    const containerd = createPuller();
    expect([containerd.pull(), ...times(20, () => containerd.getBlob("piece"))]).toEqual(Array(21).fill("m1"));
    expect(containerd.getBlob("rest")).toBe("m2");
    expect(containerd.getBlob("piece")).toBe("m2");
  });

  test("that comes back later begins with the nearest", () => {
    const docker = createPuller();
    docker.getManifest();
    times(3, () => docker.getBlob());
    docker.clock += WINDOW_MS + 1;
    expect(docker.pull()).toBe("m1");
    expect(docker.getBlob()).toBe("m2");
  });

  test("is not taken for two because of a manifest of long ago", () => {
    const podman = createPuller();
    podman.getManifest();
    podman.clock += 11 * WINDOW_MS;
    expect(podman.pull()).toBe("m1");
    expect(podman.pull()).toBe("m2");
  });
});

describe("a crowd behind one address", () => {
  test("that pulls at once is sent to the nearest, every one", () => {
    const crowd = createPuller();
    times(100, crowd.getManifest);
    expect(times(100, () => crowd.getBlob())).toEqual(Array(100).fill("m1"));
  });

  test("that is slow to come to a layer as well", () => {
    const crowd = createPuller();
    times(100, crowd.getManifest);
    const answers = times(100, () => {
      crowd.clock += 2 * WINDOW_MS;
      return crowd.getBlob();
    });
    expect(answers).toEqual(Array(100).fill("m1"));
  });

  test("that pulls one after the other is known for a crowd after a few, and the origin hardly sees it", () => {
    const crowd = createPuller();
    const answers = times(100, () => {
      crowd.clock += 600;
      return crowd.pull();
    });
    expect(answers.slice(7)).toEqual(Array(93).fill("m1"));
    expect(countOf(answers).origin).toBeLessThanOrEqual(4);
  });

  test("whose manifests were asked for elsewhere is as well", () => {
    const crowd = createPuller();
    const answers = times(100, () => crowd.getBlob());
    expect(answers.slice(6)).toEqual(Array(94).fill("m1"));
    // Of who wants the rest it is sure that somebody was failed.
    expect(crowd.getBlob("rest")).not.toBe("m1");
  });

  test("whose nearest mirror fails gets the next one, each, and the origin is left alone", () => {
    const crowd = createPuller();
    times(100, crowd.getManifest);
    times(100, () => crowd.getBlob());
    expect(times(100, () => crowd.getBlob())).toEqual(Array(100).fill("m2"));
  });

  test("whose two nearest mirrors fail finds the third", () => {
    const crowd = createPuller();
    times(100, crowd.getManifest);
    const first = times(100, () => crowd.getBlob());
    const second = times(first.length, () => crowd.getBlob());
    const third = times(second.length, () => crowd.getBlob());
    expect(third).toEqual(Array(100).fill("m3"));
  });
});

describe("a manifest that is asked for again", () => {
  test("after a variant, by one client, means that its mirrors have failed", () => {
    const podman = createPuller();
    expect(podman.isRerun()).toBe(false);
    podman.pull();
    expect(podman.isRerun()).toBe(true);
    podman.clock += WINDOW_MS + 1;
    expect(podman.isRerun()).toBe(false);
  });

  test("while another waits for the blob is another client's", () => {
    const crowd = createPuller();
    crowd.pull();
    crowd.getManifest();
    expect(crowd.isRerun()).toBe(false);
  });
});

test.each<[string, Wanted]>([
  ["", "whole"],
  ["bytes=0-", "whole"],
  ["bytes=132125-", "rest"],
  ["bytes=1048576-", "piece"],
  ["bytes=0-99", "piece"],
  ["bytes=132125-200000", "piece"],
  ["bytes=-64", "piece"],
  ["bytes=1-2,4-5", "piece"],
  ["lines=1-", "piece"],
])("a request for %j wants the %s", (range, wanted) => {
  expect(wantedBy(range)).toBe(wanted);
});

test("to be named a mirror for a blob is to get a manifest, to ask, and to be sent there", () => {
  const before = [undefined, announce(undefined, 1000), ask(undefined, "whole", 1000), named(undefined, "m1", 1000)];
  for (const attempts of before) {
    for (const now of [1000, 1000 + WINDOW_MS, 10_000_000]) {
      const inTurn = sent(ask(announce(attempts, now), "whole", now), "m2", now);
      expect(named(attempts, "m2", now)).toEqual(inTurn);
    }
  }
});
