/** A map that forgets what was not used for long once it holds too much. */
export interface Lru<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  readonly size: number;
}

/**
 * `max` is the most that all values together may weigh; without `weigh`, each weighs 1.
 *
 * Two generations in place of an order of use: what is used moves to the young one, and when that has half of the
 * weight, what is left of the old one goes. To find something twice costs no more than in a map, where keeping the order
 * would write each time, and is most of what an answer costs once there are a hundred thousand.
 */
export function createLru<K, V>(max: number, weigh: (value: V) => number = () => 1): Lru<K, V> {
  let young = new Map<K, V>();
  let old = new Map<K, V>();
  let [youngWeight, oldWeight] = [0, 0];

  const removeOld = (key: K): V | undefined => {
    const value = old.get(key);
    if (value === undefined) return undefined;
    old.delete(key);
    oldWeight -= weigh(value);
    return value;
  };
  const add = (key: K, value: V) => {
    young.set(key, value);
    youngWeight += weigh(value);
    if (youngWeight > max / 2) {
      [old, oldWeight] = [young, youngWeight];
      [young, youngWeight] = [new Map(), 0];
    }
    // One that is very heavy.
    for (const oldest of old.keys()) {
      if (youngWeight + oldWeight <= max) break;
      removeOld(oldest);
    }
  };
  const remove = (key: K) => {
    const value = young.get(key);
    if (value === undefined) removeOld(key);
    else if (young.delete(key)) youngWeight -= weigh(value);
  };
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const value = removeOld(key);
      if (value !== undefined) add(key, value);
      return value;
    },
    set(key, value) {
      const known = young.get(key);
      if (known === undefined) {
        removeOld(key);
        add(key, value);
        return;
      }
      const more = weigh(value) - weigh(known);
      if (more > 0 && youngWeight + more > max / 2) {
        remove(key);
        add(key, value);
        return;
      }
      young.set(key, value);
      youngWeight += more;
    },
    delete: remove,
    get size() {
      return young.size + old.size;
    },
  };
}
