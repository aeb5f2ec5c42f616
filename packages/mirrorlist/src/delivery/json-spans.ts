/**
 * Where things stand in a JSON text. The text must be valid JSON already (`JSON.parse` took it): nothing here checks.
 * With this a manifest is changed in one place and is the same text everywhere else, down to numbers that
 * JavaScript cannot hold.
 */

/** From the first character of a value to the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member {
  readonly key: string;
  readonly value: Span;
}

const SPACE = /[ \t\n\r]/;
const SCALAR_END = /[,\]}\s]/;

function skipSpace(text: string, at: number): number {
  let index = at;
  while (SPACE.test(text.charAt(index))) index++;
  return index;
}

/** `at` is the opening quote; the result is the place after the closing one. */
function skipString(text: string, at: number): number {
  let index = at + 1;
  while (text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index + 1;
}

/** The value that begins at or after `at`. */
export function valueAt(text: string, at: number): Span {
  const start = skipSpace(text, at);
  const first = text[start];
  if (first === '"') return { start, end: skipString(text, start) };
  let index = start;
  if (first !== "{" && first !== "[") {
    while (index < text.length && !SCALAR_END.test(text.charAt(index))) index++;
    return { start, end: index };
  }
  let depth = 0;
  do {
    const character = text[index];
    if (character === '"') {
      index = skipString(text, index);
      continue;
    }
    if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    index++;
  } while (depth > 0);
  return { start, end: index };
}

/** The members of the object that begins at `start`, in order, also those whose keys are written twice. */
export function membersOf(text: string, start: number): Member[] {
  const members: Member[] = [];
  for (let index = skipSpace(text, start + 1); text[index] !== "}"; ) {
    const keyEnd = skipString(text, index);
    const key = JSON.parse(text.slice(index, keyEnd)) as string;
    const value = valueAt(text, skipSpace(text, keyEnd) + 1);
    members.push({ key, value });
    index = skipSpace(text, value.end);
    if (text[index] === ",") index = skipSpace(text, index + 1);
  }
  return members;
}

/** The elements of the array that begins at `start`. */
export function elementsOf(text: string, start: number): Span[] {
  const elements: Span[] = [];
  for (let index = skipSpace(text, start + 1); text[index] !== "]"; ) {
    const element = valueAt(text, index);
    elements.push(element);
    index = skipSpace(text, element.end);
    if (text[index] === ",") index = skipSpace(text, index + 1);
  }
  return elements;
}
