import type { TemporaryFolder } from "../../lib/process/folder.ts";
import type { Fleet } from "./fleet.ts";
import type { Line } from "./table.ts";
import type { Wrk } from "./wrk.ts";

/** What the parts of the benchmark work with. */
export interface Bench {
  readonly wrk: Wrk;
  readonly fleet: Fleet;
  readonly folder: TemporaryFolder;
  /** The file of a made-up catalog with so many blobs. */
  readonly catalogOf: (blobs: number) => Promise<string>;
  /** Of each run. */
  readonly seconds: number;
  readonly rounds: number;
}

export interface Size {
  readonly mirrors: number;
  readonly blobs: number;
}

export interface Outcome {
  readonly title: string;
  readonly lines: readonly Line[];
}

export const imagesOf = ({ blobs }: Size) => Math.floor(blobs / 10);
