import { expect, test } from "vitest";
import {
  approveMirror,
  clearWantedProbe,
  enableMirror,
  type MirrorTransition,
  readWantedProbes,
  setMirrorState,
  setMirrorStates,
  wantProbe,
} from "../mirror-states.ts";
import { addMirror, readMirror, readMirrorChanges } from "../mirrors.ts";
import { readRevision } from "../open.ts";
import type { ContractPart } from "./contract.ts";
import { AT, LATER, newMirror, ROOM } from "./sample-mirrors.ts";

const CHECKED: MirrorTransition = { name: "jp", to: "active", reason: "checked", actor: "crawler" };

export const mirrorStatesContract: ContractPart = (fixture) => {
  async function setUp(...names: string[]) {
    const { catalog } = fixture();
    for (const name of names) await addMirror(catalog, newMirror(name), ROOM);
    return { catalog, revision: await readRevision(catalog, "mirrorRevision") };
  }

  test("a change of state is written with its reason, in the row and in the history", async () => {
    const { catalog, revision } = await setUp("jp");
    expect(await setMirrorState(catalog, CHECKED, LATER)).toStrictEqual({ ...CHECKED, was: "pending" });
    expect(await readMirror(catalog, "jp")).toMatchObject({
      state: "active",
      reason: "checked",
      stateSince: LATER,
      revision: revision + 1,
    });
    expect(await readMirrorChanges(catalog, "jp", 1)).toMatchObject([
      { fromState: "pending", toState: "active", reason: "checked", actor: "crawler", at: LATER },
    ]);
  });

  test("nothing changes: nothing is written, and nobody is told", async () => {
    const { catalog } = await setUp("jp");
    await setMirrorState(catalog, CHECKED, AT);
    const revision = await readRevision(catalog, "mirrorRevision");
    const nothing = [
      CHECKED,
      { ...CHECKED, name: "none" },
      { ...CHECKED, to: "stale", from: ["unreachable"] } as const,
    ];
    for (const transition of nothing) expect(await setMirrorState(catalog, transition, LATER)).toBeUndefined();
    expect(await readRevision(catalog, "mirrorRevision")).toBe(revision);
    expect(await readMirror(catalog, "jp")).toMatchObject({ state: "active", stateSince: AT });
    expect(await readMirrorChanges(catalog, "jp", 10)).toHaveLength(2);
  });

  test("another reason for the same state is no change of state", async () => {
    const { catalog, revision } = await setUp("jp");
    const waiting: MirrorTransition = { name: "jp", to: "pending", reason: "the proof is a 404", actor: "crawler" };
    expect(await setMirrorState(catalog, waiting, LATER)).toBeUndefined();
    expect(await readMirror(catalog, "jp")).toMatchObject({
      reason: "the proof is a 404",
      stateSince: AT,
      revision: revision + 1,
    });
    expect(await readMirrorChanges(catalog, "jp", 10)).toHaveLength(1);
  });

  test("many are changed at once, with one new revision", async () => {
    const names = ["a", "b", "c"];
    const { catalog, revision } = await setUp(...names);
    const all = names.map((name) => ({ ...CHECKED, name }));
    expect(await setMirrorStates(catalog, all, LATER)).toHaveLength(3);
    expect(await readRevision(catalog, "mirrorRevision")).toBe(revision + 1);
    const mixed = [{ ...CHECKED, name: "a" }, { ...CHECKED, name: "b", to: "stale" } as const];
    expect(await setMirrorStates(catalog, mixed, LATER)).toMatchObject([{ name: "b", was: "active", to: "stale" }]);
  });

  test("of two that change the same state at once, one does", async () => {
    const { catalog } = await setUp("jp");
    const from = ["pending"] as const;
    const both = await Promise.all(
      (["active", "checking"] as const).map((to) => setMirrorState(catalog, { ...CHECKED, to, from }, LATER)),
    );
    expect(both.filter((change) => change !== undefined)).toHaveLength(1);
    expect(await readMirrorChanges(catalog, "jp", 10)).toHaveLength(2);
  });

  test("a probe is wanted once, those who watch are told, and it ends when one begins", async () => {
    const { catalog } = await setUp("jp");
    await clearWantedProbe(catalog, "jp", AT);
    expect(await readWantedProbes(catalog)).toStrictEqual([]);
    const revision = await readRevision(catalog, "mirrorRevision");
    await wantProbe(catalog, "jp", AT);
    expect(await wantProbe(catalog, "jp", LATER)).toMatchObject({ probeWantedAt: AT });
    expect(await readRevision(catalog, "mirrorRevision")).toBe(revision + 1);
    expect(await readWantedProbes(catalog)).toStrictEqual([{ name: "jp", probeWantedAt: AT }]);
    // Begun for an older wish: this one stands.
    await clearWantedProbe(catalog, "jp", LATER);
    expect(await readWantedProbes(catalog)).toHaveLength(1);
    await clearWantedProbe(catalog, "jp", AT);
    expect(await readWantedProbes(catalog)).toStrictEqual([]);
    expect(await wantProbe(catalog, "none", AT)).toBeUndefined();
  });

  test("nobody probes what is disabled", async () => {
    const { catalog } = await setUp("jp");
    await clearWantedProbe(catalog, "jp", AT);
    await setMirrorState(catalog, { name: "jp", to: "disabled", reason: "abuse", actor: "operator" }, AT);
    await wantProbe(catalog, "jp", LATER);
    expect(await readWantedProbes(catalog)).toStrictEqual([]);
  });

  test("enabled again, a mirror is checked first; one that had not shown its proof has to show it", async () => {
    const { catalog } = await setUp("new", "old");
    await setMirrorState(catalog, { ...CHECKED, name: "old" }, AT);
    for (const name of ["new", "old"]) {
      expect(await enableMirror(catalog, name, AT)).toBeUndefined();
      await setMirrorState(catalog, { name, to: "disabled", reason: "abuse", actor: "operator" }, AT);
      await setMirrorState(catalog, { name, to: "disabled", reason: "still", actor: "operator" }, AT);
    }
    expect(await enableMirror(catalog, "new", LATER)).toMatchObject({ state: "pending", probeWantedAt: LATER });
    expect(await enableMirror(catalog, "old", LATER)).toMatchObject({ state: "checking", stateSince: LATER });
    expect(await readMirrorChanges(catalog, "old", 1)).toMatchObject([
      { fromState: "disabled", toState: "checking", actor: "operator", at: LATER },
    ]);
    expect(await enableMirror(catalog, "none", LATER)).toBeUndefined();
  });

  test("an approval is noted once, and the proof is looked for at once", async () => {
    const { catalog } = await setUp("jp");
    await clearWantedProbe(catalog, "jp", AT);
    expect(await approveMirror(catalog, "jp", LATER)).toMatchObject({ state: "pending", approvedAt: LATER });
    expect(await readWantedProbes(catalog)).toStrictEqual([{ name: "jp", probeWantedAt: LATER }]);
    const revision = await readRevision(catalog, "mirrorRevision");
    expect(await approveMirror(catalog, "jp", AT)).toMatchObject({ approvedAt: LATER });
    expect(await approveMirror(catalog, "none", AT)).toBeUndefined();
    expect(await readRevision(catalog, "mirrorRevision")).toBe(revision);
  });
};
