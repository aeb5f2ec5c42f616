/** A map that forgets what was not used for longest once it holds too much. */
export interface Lru<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  readonly size: number;
}

/** `max` is the most that all values together may weigh; without `weigh`, each weighs 1. */
export function createLru<K, V>(max: number, weigh: (value: V) => number = () => 1): Lru<K, V> {
  const entries = new Map<K, V>();
  let total = 0;
  const remove = (key: K) => {
    const value = entries.get(key);
    if (value !== undefined && entries.delete(key)) total -= weigh(value);
  };
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      // A Map keeps the order of insertion: what is used goes to the end.
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      remove(key);
      entries.set(key, value);
      total += weigh(value);
      for (const oldest of entries.keys()) {
        if (total <= max) break;
        remove(oldest);
      }
    },
    delete: remove,
    get size() {
      return entries.size;
    },
  };
}
