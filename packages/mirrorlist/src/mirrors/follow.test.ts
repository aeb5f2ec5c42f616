import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failWhenBusy } from "@nearlayer/shared/catalog/busy";
import { ensureDeclared } from "@nearlayer/shared/catalog/mirror-declared";
import { setMirrorState } from "@nearlayer/shared/catalog/mirror-states";
import { addMirror, readMirrors, removeMirror } from "@nearlayer/shared/catalog/mirrors";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { createLogger } from "@nearlayer/shared/log";
import { expect, onTestFinished, test, vi } from "vitest";
import { declare } from "../testing/mirrors.ts";
import { followNetwork } from "./follow.ts";

const AT = "2026-11-24T12:00:00.000Z";
const log = createLogger("test", "silent");

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), "nearlayer-follow-"));
  const location = join(folder, "catalog.db");
  const [catalog, other] = [await openCatalog(location), await openCatalog(location)];
  await failWhenBusy(catalog);
  const names: string[][] = [];
  const onNames = (now: ReadonlySet<string>) => names.push([...now].sort());
  const followed = await followNetwork(catalog, location, [declare("own")], log, { onNames, isServer: true });
  onTestFinished(async () => {
    await followed[Symbol.asyncDispose]();
    await Promise.all([catalog.destroy(), other.destroy()]);
    await rm(folder, { recursive: true, force: true });
  });
  const states = () => followed.network.mirrors().map(({ name, state }) => `${name} ${state}`);
  return { followed, other, names, states, location };
}

const JOINING = { declared: declare("joined"), proof: "00", actor: "mirror", reason: "opted in", at: AT } as const;

test("the file's mirrors are in the catalog from the start, and what others change there is here", async () => {
  const { other, names, states } = await setUp();
  expect(states()).toEqual(["own checking"]);
  expect((await readMirrors(other)).names).toEqual(["own"]);
  await addMirror(other, JOINING, { maxPending: 9 });
  await setMirrorState(other, { name: "own", to: "active", reason: "checked", actor: "crawler" }, AT);
  await vi.waitFor(() => expect(states()).toEqual(["own active", "joined pending"]), 2000);
  await removeMirror(other, "joined", { actor: "mirror", reason: "opted out", at: AT });
  await vi.waitFor(() => expect(states()).toEqual(["own active"]), 2000);
  expect(names).toEqual([["joined", "own"], ["own"]]);
});

test("another file counts at once, and the catalog follows when it can be written again", async () => {
  const { followed, other, states } = await setUp();
  let release = () => {};
  const locked = Promise.withResolvers<void>();
  const holding = other.transaction().execute(async () => {
    locked.resolve();
    await new Promise<void>((resolve) => (release = resolve));
  });
  await locked.promise;
  const declaring = followed.declare([declare("own"), declare("second")]);
  expect(states()).toEqual(["own checking", "second checking"]);
  release();
  await holding;
  await declaring;
  expect((await readMirrors(other)).names).toEqual(["own", "second"]);
});

test("who only looks removes nothing; of two servers with different files, neither takes the other's away for good", async () => {
  const { followed, other, states, location } = await setUp();
  const look = await followNetwork(other, location, [declare("looked-at")], log);
  await look[Symbol.asyncDispose]();
  expect((await readMirrors(other)).names).toEqual(["looked-at", "own"]);
  await ensureDeclared(other, [declare("looked-at")], AT);
  expect((await readMirrors(other)).names).toEqual(["looked-at"]);
  await vi.waitFor(async () => expect((await readMirrors(other)).names).toEqual(["looked-at", "own"]), 3000);
  expect(states()).toEqual(["own checking"]);
  await followed.declare([declare("own"), declare("second")]);
  expect((await readMirrors(other)).names).toEqual(["own", "second"]);
});
