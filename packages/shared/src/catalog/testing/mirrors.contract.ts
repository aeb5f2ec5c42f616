import { expect, test } from "vitest";
import { ensureDeclared } from "../mirror-declared.ts";
import { setMirrorState } from "../mirror-states.ts";
import {
  addMirror,
  changeMirror,
  countPending,
  declarationOf,
  readMirror,
  readMirrorChanges,
  readMirrors,
  removeExpired,
  removeMirror,
} from "../mirrors.ts";
import { type Catalog, readRevision } from "../open.ts";
import { watchRevision } from "../watch.ts";
import type { ContractPart } from "./contract.ts";
import { AT, LATER, newMirror, proofOf, ROOM, sampleMirror } from "./sample-mirrors.ts";
import { AMD64 } from "./samples.ts";

const revisionOf = (catalog: Catalog) => readRevision(catalog, "mirrorRevision");

async function activate(catalog: Catalog, name: string) {
  await setMirrorState(
    catalog,
    { name, to: "active", reason: "its first full check has passed", actor: "crawler" },
    AT,
  );
}

/** Something that the crawler has seen. */
async function see(catalog: Catalog, mirror: string) {
  await catalog.insertInto("mirrorProbe").values({ mirror, platform: AMD64, at: AT, generation: 7 }).execute();
  await catalog.insertInto("crawlLease").values({ mirror, holder: "one", until: AT }).execute();
}

const seen = (catalog: Catalog) => catalog.selectFrom("mirrorProbe").select("mirror").execute();

export const mirrorsContract: ContractPart = (fixture) => {
  test("a mirror that opts in is pending, wants a probe, and is read back as it was declared", async () => {
    const { catalog } = fixture();
    const mirror = newMirror("jp", { platforms: [AMD64], netblocks: ["192.0.2.0/24"], asn: 2497 });
    expect(await addMirror(catalog, mirror, ROOM)).toMatchObject({ kind: "added" });
    const record = await readMirror(catalog, "jp");
    expect(record).toMatchObject({
      declaredBy: "mirror",
      proof: proofOf("jp"),
      state: "pending",
      reason: mirror.reason,
      stateSince: AT,
      createdAt: AT,
      approvedAt: null,
      probeWantedAt: AT,
    });
    expect(record && declarationOf(record)).toStrictEqual(mirror.declared);
    expect(await readMirrorChanges(catalog, "jp", 10)).toMatchObject([
      { fromState: null, toState: "pending", reason: mirror.reason, actor: "mirror", at: AT },
    ]);
  });

  test("what changes is read since a revision, and what has gone is missing among the names", async () => {
    const { catalog } = fixture();
    for (const name of ["a", "b", "c"]) await addMirror(catalog, newMirror(name), ROOM);
    const first = await readMirrors(catalog);
    expect(first.names).toStrictEqual(["a", "b", "c"]);
    expect(first.changed.map(({ name }) => name)).toStrictEqual(first.names);
    expect(await readMirrors(catalog, first.revision)).toMatchObject({ revision: first.revision, changed: [] });
    await activate(catalog, "b");
    await removeMirror(catalog, "c", { actor: "mirror", reason: "opted out", at: LATER });
    const next = await readMirrors(catalog, first.revision);
    expect(next).toMatchObject({ revision: first.revision + 2, names: ["a", "b"] });
    expect(next.changed.map(({ name, state }) => [name, state])).toStrictEqual([["b", "active"]]);
  });

  test.each([
    ["its name", newMirror("jp", { url: "http://other.example.org/" }), "name-taken"],
    ["its URL", newMirror("other", { url: "http://jp.example.org/pub/" }), "url-taken"],
    ["its URL with TLS and other letters", newMirror("other", { url: "https://JP.example.org./pub/" }), "url-taken"],
  ])("%s is taken", async (_, second, kind) => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    const before = await revisionOf(catalog);
    expect(await addMirror(catalog, second, ROOM)).toMatchObject({ kind, by: { name: "jp" } });
    expect(await revisionOf(catalog)).toBe(before);
    const port = newMirror("port", { url: "http://jp.example.org:8080/pub/" });
    expect(await addMirror(catalog, port, ROOM)).toMatchObject({ kind: "added" });
  });

  test("of those that opt in at once under one name, one is taken in; and no more than there is room for", async () => {
    const { catalog } = fixture();
    const twins = await Promise.all([1, 2, 3].map(() => addMirror(catalog, newMirror("twin"), ROOM)));
    expect(twins.map(({ kind }) => kind).toSorted()).toStrictEqual(["added", "name-taken", "name-taken"]);
    for (const name of ["b", "c"]) await addMirror(catalog, newMirror(name), { maxPending: 2 });
    expect(await countPending(catalog)).toBe(2);
    expect(await addMirror(catalog, newMirror("d"), { maxPending: 2 })).toStrictEqual({
      kind: "too-many-pending",
      limit: 2,
    });
  });

  test("a change is for who has the token, and without one nothing is written", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await activate(catalog, "jp");
    const before = await revisionOf(catalog);
    const change = { proof: proofOf("jp"), at: LATER, needsApproval: false };
    const declared = sampleMirror("jp", { bandwidth: 5000 });
    expect(await changeMirror(catalog, sampleMirror("jp"), change)).toMatchObject({ kind: "unchanged" });
    expect(await changeMirror(catalog, declared, { ...change, proof: proofOf("x") })).toMatchObject({
      kind: "wrong-proof",
    });
    expect(await changeMirror(catalog, sampleMirror("none"), change)).toStrictEqual({ kind: "unknown" });
    expect(await revisionOf(catalog)).toBe(before);
    expect(await changeMirror(catalog, declared, change)).toMatchObject({ kind: "changed" });
    const record = await readMirror(catalog, "jp");
    expect(record).toMatchObject({ state: "active", stateSince: AT, probeWantedAt: LATER, revision: before + 1 });
    expect(record && declarationOf(record)).toStrictEqual(declared);
  });

  test("at another URL a mirror is pending again, and what was seen of it is forgotten", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await activate(catalog, "jp");
    await see(catalog, "jp");
    const declared = sampleMirror("jp", { url: "http://elsewhere.example.org/" });
    await changeMirror(catalog, declared, { proof: proofOf("jp"), at: LATER, needsApproval: false });
    expect(await readMirror(catalog, "jp")).toMatchObject({ state: "pending", stateSince: LATER });
    expect(await seen(catalog)).toStrictEqual([]);
    expect(await readMirrorChanges(catalog, "jp", 1)).toMatchObject([
      { fromState: "active", toState: "pending", actor: "mirror", at: LATER },
    ]);
    await addMirror(catalog, newMirror("de"), ROOM);
    const onto = sampleMirror("jp", { url: "http://de.example.org/pub/" });
    const change = { proof: proofOf("jp"), at: LATER, needsApproval: false };
    expect(await changeMirror(catalog, onto, change)).toMatchObject({ kind: "url-taken", by: { name: "de" } });
  });

  test("who claims other clients is approved of again, where the operator is asked", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await catalog.updateTable("mirror").set({ approvedAt: AT }).execute();
    await activate(catalog, "jp");
    const change = { proof: proofOf("jp"), at: LATER, needsApproval: true };
    await changeMirror(catalog, sampleMirror("jp", { bandwidth: 7 }), change);
    expect(await readMirror(catalog, "jp")).toMatchObject({ state: "active", approvedAt: AT });
    await changeMirror(catalog, sampleMirror("jp", { bandwidth: 7, netblocks: ["192.0.2.0/24"] }), change);
    expect(await readMirror(catalog, "jp")).toMatchObject({ state: "pending", approvedAt: null });
  });

  test("a mirror that opts out is gone at once; its history stays, and what was seen of it does not", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await activate(catalog, "jp");
    await see(catalog, "jp");
    const leave = { actor: "mirror", reason: "opted out", at: LATER } as const;
    expect(await removeMirror(catalog, "jp", { ...leave, proof: proofOf("x") })).toMatchObject({ kind: "wrong-proof" });
    expect(await removeMirror(catalog, "jp", { ...leave, proof: proofOf("jp") })).toMatchObject({ kind: "removed" });
    expect(await removeMirror(catalog, "jp", leave)).toStrictEqual({ kind: "unknown" });
    expect(await readMirror(catalog, "jp")).toBeUndefined();
    expect(await seen(catalog)).toStrictEqual([]);
    expect((await readMirrorChanges(catalog, "jp", 10)).map(({ toState, reason }) => [toState, reason])).toStrictEqual([
      ["disabled", "opted out"],
      ["active", "its first full check has passed"],
      ["pending", newMirror("jp").reason],
    ]);
  });

  test("what the operator has disabled cannot leave, nor move, to come back as another", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await setMirrorState(catalog, { name: "jp", to: "disabled", reason: "abuse", actor: "operator" }, AT);
    const leave = { actor: "mirror", reason: "opted out", at: LATER, proof: proofOf("jp") } as const;
    expect(await removeMirror(catalog, "jp", leave)).toMatchObject({ kind: "disabled" });
    const moved = sampleMirror("jp", { url: "http://elsewhere.example.org/" });
    const change = { proof: proofOf("jp"), at: LATER, needsApproval: false };
    expect(await changeMirror(catalog, moved, change)).toMatchObject({ kind: "disabled" });
    expect(await removeMirror(catalog, "jp", { actor: "operator", reason: "gone", at: LATER })).toMatchObject({
      kind: "removed",
    });
  });

  test("those that stay pending for too long are taken out", async () => {
    const { catalog } = fixture();
    for (const name of ["a", "b"]) await addMirror(catalog, newMirror(name), ROOM);
    await activate(catalog, "b");
    expect(await removeExpired(catalog, AT, LATER)).toStrictEqual([]);
    expect(await removeExpired(catalog, LATER, LATER)).toStrictEqual(["a"]);
    expect((await readMirrors(catalog)).names).toStrictEqual(["b"]);
  });

  test("what the operator's file declares is checked first, and written once", async () => {
    const { catalog } = fixture();
    const declared = [sampleMirror("a"), sampleMirror("b", { disabled: true })];
    expect(await ensureDeclared(catalog, declared, AT)).toStrictEqual({ replaced: [], removed: [] });
    const { changed, revision } = await readMirrors(catalog);
    expect(changed).toMatchObject([
      { name: "a", declaredBy: "operator", state: "checking", proof: null, stateSince: AT },
      { name: "b", declaredBy: "operator", state: "disabled" },
    ]);
    await ensureDeclared(catalog, declared, LATER);
    expect(await revisionOf(catalog)).toBe(revision);
    expect(await readMirrorChanges(catalog, "a", 10)).toMatchObject([{ fromState: null, toState: "checking" }]);
  });

  test("the file changes: who stays keeps its state, who moves is checked again, who leaves is removed", async () => {
    const { catalog } = fixture();
    await ensureDeclared(
      catalog,
      ["stays", "moves", "leaves"].map((name) => sampleMirror(name)),
      AT,
    );
    await addMirror(catalog, newMirror("opted-in"), ROOM);
    for (const name of ["stays", "moves", "leaves"]) {
      await activate(catalog, name);
      await see(catalog, name);
    }
    const next = [sampleMirror("stays", { bandwidth: 7 }), sampleMirror("moves", { url: "http://else.example.org/" })];
    expect(await ensureDeclared(catalog, next, LATER)).toStrictEqual({ replaced: [], removed: ["leaves"] });
    expect((await readMirrors(catalog)).changed).toMatchObject([
      { name: "moves", state: "checking", stateSince: LATER },
      { name: "opted-in", state: "pending" },
      { name: "stays", state: "active", stateSince: AT },
    ]);
    expect(await seen(catalog)).toStrictEqual([{ mirror: "stays" }]);
    expect(await readMirrorChanges(catalog, "leaves", 1)).toMatchObject([
      { toState: "disabled", reason: "no longer declared in the operator's configuration" },
    ]);
  });

  test("one of the file can be brought in alone, and the others stay", async () => {
    const { catalog } = fixture();
    await ensureDeclared(catalog, [sampleMirror("a")], AT);
    expect(await ensureDeclared(catalog, [sampleMirror("b")], AT, { keepOthers: true })).toMatchObject({ removed: [] });
    expect((await readMirrors(catalog)).names).toStrictEqual(["a", "b"]);
  });

  test("a mirror disabled by command stays so until it is enabled; one disabled in the file, until the file says else", async () => {
    const { catalog } = fixture();
    const [command, file] = [sampleMirror("command"), sampleMirror("file", { disabled: true })];
    await ensureDeclared(catalog, [command, file], AT);
    await setMirrorState(catalog, { name: "command", to: "disabled", reason: "work on it", actor: "operator" }, AT);
    await ensureDeclared(
      catalog,
      [
        { ...command, bandwidth: 7 },
        { ...file, disabled: false },
      ],
      LATER,
    );
    expect((await readMirrors(catalog)).changed).toMatchObject([
      { name: "command", state: "disabled", reason: "work on it" },
      { name: "file", state: "checking" },
    ]);
  });

  test("under the name of one that opted in, the file's mirror takes its place", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await activate(catalog, "jp");
    await see(catalog, "jp");
    expect(await ensureDeclared(catalog, [sampleMirror("jp")], LATER)).toStrictEqual({ replaced: ["jp"], removed: [] });
    expect(await readMirror(catalog, "jp")).toMatchObject({ declaredBy: "operator", state: "checking", proof: null });
    expect(await seen(catalog)).toStrictEqual([]);
    const change = { proof: proofOf("jp"), at: LATER, needsApproval: false };
    expect(await changeMirror(catalog, sampleMirror("jp", { bandwidth: 7 }), change)).toMatchObject({
      kind: "operators",
    });
    expect(await removeMirror(catalog, "jp", { actor: "operator", reason: "gone", at: LATER })).toMatchObject({
      kind: "operators",
    });
  });

  test("a row that a newer version wrote is read, and what it declares is not known", async () => {
    const { catalog } = fixture();
    await addMirror(catalog, newMirror("jp"), ROOM);
    await catalog.updateTable("mirror").set({ declaration: '{"name":"jp","moon":true}' }).execute();
    const record = await readMirror(catalog, "jp");
    expect(record?.name).toBe("jp");
    expect(record && declarationOf(record)).toBeUndefined();
  });

  test("each change is told to other connections, and changes of images are not", async () => {
    const { catalog, location, open } = fixture();
    const writer = await open();
    const after = await revisionOf(catalog);
    const told: number[] = [];
    let wake = () => {};
    await using _ = watchRevision(catalog, location, {
      of: "mirrorRevision",
      after,
      // So long that PostgreSQL has to tell by itself.
      safetyPollMs: 600_000,
      onChange: (revision) => {
        told.push(revision);
        wake();
      },
    });
    const next = () => new Promise<void>((resolve) => (wake = resolve));
    let waiting = next();
    await addMirror(writer, newMirror("jp"), ROOM);
    await waiting;
    waiting = next();
    await activate(writer, "jp");
    await waiting;
    expect(told).toStrictEqual([after + 1, after + 2]);
    expect(await readRevision(catalog)).toBe(0);
  });
};
