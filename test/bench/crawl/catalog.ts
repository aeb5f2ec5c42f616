import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { sha256Hex } from "@nearlayer/shared/generation";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";

export const PLATFORMS: readonly Platform[] = ["linux-amd64", "linux-arm64", "linux-ppc64le", "linux-s390x"].map(
  parsePlatform,
);
/** How many generations a platform has had, the blobs spread over them. */
export const GENERATIONS = 200;

export const listSha256Of = (platform: string, number: number) => sha256Hex(`${platform} ${number}`);

/** A made-up blob's size is in its name, so that the mirrors know it without a catalog. 1 KB to 65 KB. */
export const sizeOf = (digest: string) => 1000 + Number.parseInt(digest.slice(-4), 16);

/** A catalog with so many blobs, each in one of four platforms. Only what a crawler reads is there. */
export async function makeCatalog(file: string, blobs: number): Promise<void> {
  await (await openCatalog(file)).destroy();
  const db = new DatabaseSync(file);
  try {
    db.exec("pragma synchronous = off; pragma cache_size = -400000; begin");
    const generation = db.prepare("insert into generation values (?, ?, ?, 1, 1, ?)");
    for (const platform of PLATFORMS) {
      for (let number = 1; number <= GENERATIONS; number += 1) {
        generation.run(platform, number, "2026-11-22T12:00:00Z", listSha256Of(platform, number));
      }
    }
    const blob = db.prepare("insert into blob (digest, size, content) values (?, ?, null)");
    const place = db.prepare("insert into platform_blob (platform, digest, since, revision) values (?, ?, ?, 1)");
    for (let index = 0; index < blobs; index += 1) {
      const digest = `sha256:${createHash("sha256").update(`blob ${index}`).digest("hex")}`;
      blob.run(digest, sizeOf(digest));
      place.run(PLATFORMS[index % PLATFORMS.length] ?? "", digest, 1 + Math.floor((index * GENERATIONS) / blobs));
    }
    db.exec("update meta set value = 1 where key = 'revision'; commit; pragma wal_checkpoint(truncate)");
  } finally {
    db.close();
  }
}

/** One more generation of each platform, with `count` blobs of its own. */
export function addGeneration(file: string, number: number, count: number): void {
  const db = new DatabaseSync(file, { timeout: 30_000 });
  db.exec("begin immediate");
  for (const platform of PLATFORMS) {
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    db.prepare("insert into generation values (?, ?, ?, 1, 1, ?)").run(
      platform,
      number,
      time,
      listSha256Of(platform, number),
    );
    for (let index = 0; index < count; index += 1) {
      const digest = `sha256:${createHash("sha256").update(`${platform} ${number} ${index}`).digest("hex")}`;
      db.prepare("insert into blob (digest, size, content) values (?, ?, null)").run(digest, sizeOf(digest));
      db.prepare("insert into platform_blob (platform, digest, since, revision) values (?, ?, ?, 1)").run(
        platform,
        digest,
        number,
      );
    }
  }
  db.exec("commit");
  db.close();
}
