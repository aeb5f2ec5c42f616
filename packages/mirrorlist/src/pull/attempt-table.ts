import type { Seed } from "../selection/rendezvous.ts";
import type { Attempts } from "./attempts.ts";
import { createSeedIndex } from "./seed-index.ts";

/** The attempts of many pullers, by what tells them apart; beyond its size, those that were not used for long go. */
export interface AttemptTable {
  get(key: Seed): Attempts | undefined;
  set(key: Seed, attempts: Attempts): void;
}

/** What is kept of an entry, in words: five counts, the flags, and where it was sent to. */
const FLAGS = 5;
const SENT_TO = FLAGS + 1;
/** More mirrors than that are named to nobody. */
const MAX_SENT_TO = 8;
const WORDS = SENT_TO + MAX_SENT_TO;

/**
 * Numbers in typed arrays, about 150 bytes for each of `max`. As objects in a map they would be what the garbage
 * collector does most for: each lives for seconds, which is neither short nor long.
 *
 * A key is 64 bits of a hash. Two generations, as in `lru.ts`.
 */
export function createAttemptTable(max: number): AttemptTable {
  const names = createNames();
  let [young, old] = [createGeneration(Math.ceil(max / 2)), createGeneration(Math.ceil(max / 2))];
  return {
    get: (key) => young.read(key, names) ?? old.read(key, names),
    set(key, attempts) {
      if (young.write(key, attempts, names)) return;
      [young, old] = [old, young];
      young.clear();
      young.write(key, attempts, names);
    },
  };
}

function createGeneration(capacity: number) {
  const index = createSeedIndex(capacity);
  const words = new Uint32Array(capacity * WORDS);
  /** Two for each entry: `countedUntil` and `keptUntil`. */
  const times = new Float64Array(capacity * 2);
  return {
    clear: index.clear,
    read(seed: Seed, names: Names): Attempts | undefined {
      const entry = index.find(seed);
      if (entry < 0) return undefined;
      const at = entry * WORDS;
      const word = (offset: number) => words[at + offset] ?? 0;
      const flags = word(FLAGS);
      const sentTo: string[] = [];
      for (let each = SENT_TO; each < WORDS && word(each) > 0; each += 1) sentTo.push(names.nameOf(word(each)));
      return {
        announced: word(0),
        pulls: word(1),
        reruns: word(2),
        retries: word(3),
        failed: word(4),
        isCrowd: (flags & 1) !== 0,
        isUnannounced: (flags & 2) !== 0,
        sentTo,
        countedUntil: times[entry * 2] ?? 0,
        keptUntil: times[entry * 2 + 1] ?? 0,
      };
    },
    /** False when there is no room for another one. */
    write(seed: Seed, attempts: Attempts, names: Names): boolean {
      const entry = index.add(seed);
      if (entry < 0) return false;
      const at = entry * WORDS;
      words[at] = attempts.announced;
      words[at + 1] = attempts.pulls;
      words[at + 2] = attempts.reruns;
      words[at + 3] = attempts.retries;
      words[at + 4] = attempts.failed;
      words[at + FLAGS] = (attempts.isCrowd ? 1 : 0) | (attempts.isUnannounced ? 2 : 0);
      const { sentTo } = attempts;
      const sent = Math.min(sentTo.length, MAX_SENT_TO);
      for (let each = 0; each < sent; each += 1) words[at + SENT_TO + each] = names.numberOf(sentTo[each] ?? "");
      if (sent < MAX_SENT_TO) words[at + SENT_TO + sent] = 0;
      times[entry * 2] = attempts.countedUntil;
      times[entry * 2 + 1] = attempts.keptUntil;
      return true;
    },
  };
}

interface Names {
  /** 1 or more. */
  numberOf(name: string): number;
  nameOf(number: number): string;
}

/** The mirrors' URLs, which are few, by numbers. */
function createNames(): Names {
  const names: string[] = [""];
  const numbers = new Map<string, number>();
  return {
    numberOf(name) {
      const known = numbers.get(name);
      if (known !== undefined) return known;
      const number = names.push(name) - 1;
      numbers.set(name, number);
      return number;
    },
    nameOf: (number) => names[number] ?? "",
  };
}
