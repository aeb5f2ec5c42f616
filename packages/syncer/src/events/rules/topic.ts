/**
 * Does a topic match a pattern of AMQP's topic exchanges? `*` is one word, `#` any number of them, none too (AMQP 0-9-1,
 * section 3.1.3.3). Takes words × words steps at the most, whatever the pattern.
 */
export function matchesTopic(pattern: string, topic: string): boolean {
  const words = topic.split(".");
  // Which beginnings of the topic the pattern so far can be.
  let reached = Array.from({ length: words.length + 1 }, (_, index) => index === 0);
  for (const part of pattern.split(".")) {
    const next = reached.map(() => false);
    for (const [index, isReached] of reached.entries()) {
      if (part === "#") next[index] = isReached || (next[index - 1] ?? false);
      else if (isReached && index < words.length) next[index + 1] = part === "*" || part === words[index];
    }
    reached = next;
  }
  return reached[words.length] ?? false;
}

/** What all topics that a pattern matches begin with: what ZeroMQ subscribes to. */
export function prefixOfTopics(pattern: string): string {
  const words = pattern.split(".");
  const wild = words.findIndex((word) => word === "*" || word === "#");
  if (wild < 0) return pattern;
  const fixed = words.slice(0, wild).join(".");
  // `a.#` matches `a` too.
  return wild === 0 || words[wild] === "#" ? fixed : `${fixed}.`;
}
