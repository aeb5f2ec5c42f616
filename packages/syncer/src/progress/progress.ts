/** How far a blob has come. */
export interface Transfer {
  /** In bytes from the blob's beginning; the first call says where it starts. */
  at(offset: number): void;
  end(): void;
}

/** What a command tells while it works; who watches decides what is shown of it. */
export interface Progress {
  /** What is done now: `reading the source`. */
  phase(what: string): void;
  /** So many of something are done in this phase: `12 tags`. */
  count(done: number, what: string): void;
  /** So much more is to come. */
  expect(blobs: number, bytes: number): void;
  /** A blob begins to come; `size` in bytes, where it is known. */
  begin(ref: string, size: number | undefined): Transfer;
  /** A tag was updated, or failed. */
  image(name: string, outcome: "updated" | "failed", reason?: string): void;
  /** Nothing more comes; what is shown goes away. */
  end(): void;
}

const nothing = () => {};

/** Nobody watches. */
export const SILENT: Progress = {
  phase: nothing,
  count: nothing,
  expect: nothing,
  begin: () => ({ at: nothing, end: nothing }),
  image: nothing,
  end: nothing,
};

/** Counts the tags that have been read, for who watches. */
export function countTags(progress: Progress): () => void {
  let read = 0;
  return () => {
    read += 1;
    progress.count(read, "tags");
  };
}
