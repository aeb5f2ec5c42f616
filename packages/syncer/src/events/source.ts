/** Something that messages come from. Disposed of, it takes no more, and what it took is written down. */
export type EventSource = AsyncDisposable;
