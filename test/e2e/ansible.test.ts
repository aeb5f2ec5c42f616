import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { ansibleFolder } from "../lib/hosts/playbook.ts";
import { mirrorlist, syncer } from "../lib/nearlayer.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { run } from "../lib/process/run.ts";
import { skipUnless } from "../lib/requirements.ts";

// What can be said of the playbooks without a host; test/soak/ansible.test.ts runs them on booted ones.

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder("ansible");
});
afterAll(() => folder[Symbol.asyncDispose]());

const ansible = (command: string, args: readonly string[]) =>
  run(command, args, { cwd: ansibleFolder, env: { ANSIBLE_NOCOLOR: "1", HOME: folder.path }, timeout: 110_000 });

test("the playbooks are well formed, and ansible-lint has nothing to say", async (context) => {
  await skipUnless(context, "ansible");
  const syntax = await ansible("ansible-playbook", ["--syntax-check", "site.yml", "sync.yml"]);
  expect(syntax.exitCode, syntax.stderr).toBe(0);
  const lint = await ansible("ansible-lint", ["--offline", "--nocolor", "-q"]);
  expect(lint.exitCode, lint.stdout + lint.stderr).toBe(0);
});

test("what the example's variables make is a configuration that both programs take", async (context) => {
  await skipUnless(context, "ansible");
  const role = (name: string) =>
    ["defaults", "vars"].map((part) => join(ansibleFolder, "roles", name, part, "main.yml"));
  const example = (file: string) => join(ansibleFolder, "inventory/example/group_vars/all", file);
  const play = (hosts: string, name: string, out: string) => ({
    hosts,
    gather_facts: false,
    connection: "local",
    // Later ones go before earlier ones: what the example says goes before what a role has by default.
    vars_files: [...role("common").slice(0, 1), ...role(name), ...["nearlayer.yml", "vault.yml"].map(example)],
    vars: { item: 5001, mirrorlist_syncer_verifiers: [VERIFIER] },
    tasks: [
      {
        name: "render",
        "ansible.builtin.template": {
          src: join(ansibleFolder, "roles", name, "templates", `${name}.yaml.j2`),
          dest: out,
          mode: "0600",
        },
      },
    ],
  });
  const [syncerFile, listFile] = [join(folder.path, "syncer.yaml"), join(folder.path, "mirrorlist.yaml")];
  const playbook = join(folder.path, "render.yml");
  await writeFile(
    playbook,
    JSON.stringify([play("syncer", "syncer", syncerFile), play("front-1.example.org", "mirrorlist", listFile)]),
  );
  const rendered = await ansible("ansible-playbook", ["-i", "inventory/example", playbook]);
  expect(rendered.exitCode, rendered.stdout).toBe(0);
  expect(await syncer(syncerFile, ["check-config"])).toMatchObject({ exitCode: 0, stdout: `${syncerFile}: all well` });
  expect(await mirrorlist(listFile, ["check-config"])).toMatchObject({ exitCode: 0, stdout: `${listFile}: all well` });
  expect(parse(await readFile(listFile, "utf8"))).toMatchObject({
    catalog: "postgres://nearlayer@hub.example.org/nearlayer",
    mirrorlist: { listen: "127.0.0.1:5001", metrics: { listen: "127.0.0.1:9001" }, origin: "http://hub.example.org/" },
    mirrors: [{ name: "example-jp" }],
    crawler: { verifiers: [VERIFIER] },
    removal: { grace: "14d" },
  });
});

test("no unit of ours runs as root but the one that must, and each is hardened", async () => {
  const units: string[] = [];
  for (const path of await readdir(join(ansibleFolder, "roles"), { recursive: true })) {
    if (path.endsWith(".service.j2")) units.push(path);
  }
  expect(units.length).toBeGreaterThan(4);
  for (const path of units) {
    const text = await readFile(join(ansibleFolder, "roles", path), "utf8");
    expect(text, path).toContain("templates/hardening.j2");
    expect(/^User=/m.test(text), path).toBe(!path.includes("nearlayer-rsyncd"));
    // The shim in node_modules/.bin passes no signals on.
    expect(text, path).not.toContain("node_modules/.bin");
  }
});

test("the alert rules are ones that Prometheus takes, on metrics that there are", async (context) => {
  await skipUnless(context, "promtool");
  const rules = resolve(ansibleFolder, "../docs/alerts.yml");
  const checked = await run("promtool", ["check", "rules", rules]);
  expect(checked.exitCode, checked.stderr).toBe(0);
  const pages = ["packages/mirrorlist/docs/metrics.md", "docs/events.md"];
  const texts = await Promise.all(pages.map((page) => readFile(resolve(ansibleFolder, "..", page), "utf8")));
  const documented = texts.join("\n");
  const text = await readFile(rules, "utf8");
  const operations = await readFile(resolve(ansibleFolder, "../docs/operations.md"), "utf8");
  for (const [name] of text.matchAll(/\bnearlayer_[a-z_]+\b/g)) expect(documented).toContain(name);
  for (const [, alert = ""] of text.matchAll(/alert: (\S+)/g)) expect(operations).toContain(alert);
});

/** A public key; nobody has its other half. */
const VERIFIER = "nearlayer+4928ca0e+AZ3d/9GTsmkgo9azYqwtyFDEjLmOqruYIeTvI825XAx3";
