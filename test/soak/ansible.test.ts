import { afterAll, beforeAll, expect, test } from "vitest";
import { type DeployedSite, deploySite } from "../lib/hosts/site.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

// Three freshly installed Debian hosts, booted with systemd, in a network of their own: hub (registry, bus, PostgreSQL, syncer,
// master), front (two mirror lists behind nginx) and mirror1. The tests build on one another, as the life of a site does.

const SECRETS = {
  // rsync, PostgreSQL and YAML each have characters of their own to stumble over.
  catalog: "cat:al'og-9f31c7",
  release: "push-it-52be08",
  publish: "publish-it-c6640d",
  listen: "listen-to-it-0ab7e9",
  hook: "hook-it-7d21f4",
};
const GROUPS = {
  ...{ registry: ["hub"], bus: ["hub"], postgresql: ["hub"], syncer: ["hub"], master: ["hub"] },
  ...{ mirrorlist: ["front"], mirrors: ["mirror1"] },
};

const VARS = {
  nearlayer_catalog: "postgres://nearlayer@hub/nearlayer",
  nearlayer_catalog_password: SECRETS.catalog,
  nearlayer_postgresql_clients: ["10.0.0.0/8"],
  nearlayer_registry_name: "hub",
  nearlayer_registry_users: { release: SECRETS.release },
  nearlayer_registry_notify_url: "http://127.0.0.1:5010/hooks/registry",
  nearlayer_registry_notify_authorization: `Bearer ${SECRETS.hook}`,
  nearlayer_bus_topics: ["org.example.image.stable"],
  nearlayer_bus_publisher_password: SECRETS.publish,
  nearlayer_bus_listener_password: SECRETS.listen,
  nearlayer_events: {
    amqp: {
      url: "amqp://hub/%2Fnearlayer",
      username: "nearlayer-listener",
      passwordFile: "/etc/nearlayer/syncer/amqp.password",
      declare: false,
    },
    // Its notifications come, and no rule makes anything of them: what is pulled here came by sync.yml or the bus.
    registry: { secretFile: "/etc/nearlayer/syncer/registry.secret" },
    rules: [{ topic: "org.example.image.stable", repository: "{/repository}", tag: "{/tag}" }],
  },
  nearlayer_syncer_secrets: { "amqp.password": SECRETS.listen, "registry.secret": SECRETS.hook },
  nearlayer_mirrorlist_name: "front",
  nearlayer_mirrorlist_ports: [5000, 5001],
  nearlayer_master_url: "http://hub/",
  nearlayer_mirrors: [{ name: "mirror1", url: "http://mirror1/", country: "JP", allowPrivateAddress: true }],
  nearlayer_mirror_source: "rsync://hub/containers/",
  nearlayer_mirror_every: "1h",
  nearlayer_config: { crawler: { interval: "2s" } },
};

let site: DeployedSite;

beforeAll(async () => {
  if ((await whyNot("hosts")) !== undefined) return;
  const credentials = `release:${SECRETS.release}`;
  site = await deploySite({ groups: GROUPS, vars: VARS, registry: "hub:443", credentials, front: "front:443" });
}, 1_800_000);

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
}, 120_000);

const mirrorLog = () => site.shell("mirror1", "cat /var/log/nginx/access.log");

/** Lets the mirror pull, and waits until both mirror lists have seen it. */
async function mirror(): Promise<void> {
  await site.shell("mirror1", "systemctl start nearlayer-mirror.service");
  const seen = `for port in 9000 9001; do python3 -c "
import urllib.request as u
text = u.urlopen('http://127.0.0.1:$port/metrics').read().decode()
assert 'nearlayer_mirror_generations_behind{mirror=\\"mirror1\\",platform=\\"linux-amd64\\"} 0' in text
" || exit 1; done`;
  await until(async () => (await site.hosts.on("front", seen)).exitCode === 0, {
    what: "the mirror to be seen",
    within: 60_000,
    every: 500,
  });
}

test("site.yml sets three hosts up, and a second run changes nothing", async (context) => {
  await skipUnless(context, "hosts", "skopeo", "busybox");
  expect(site.first.exitCode, site.first.stdout.slice(-3000)).toBe(0);
  const second = await site.playbook("site.yml");
  expect(second.changes).toEqual([]);
  expect(second.recap).toEqual({
    hub: { changed: 0, failed: 0 },
    front: { changed: 0, failed: 0 },
    mirror1: { changed: 0, failed: 0 },
  });
  const dry = await site.playbook("site.yml", "--check");
  expect([dry.exitCode, dry.changes]).toEqual([0, []]);
  for (const host of ["hub", "front", "mirror1"])
    expect(await site.shell(host, "systemctl --failed --no-legend")).toBe("");
});

test("a message becomes an image that can be pulled from the mirror: by sync.yml, and by the bus", async (context) => {
  await skipUnless(context, "hosts", "skopeo", "busybox");
  await site.push("40");
  const message = JSON.stringify({ msg: { repository: "fedora/app", tag: "40" } });
  const handed = await site.playbook("sync.yml", "-e", message);
  expect(handed.exitCode, handed.stdout.slice(-2000)).toBe(0);
  await site.pulled("40");
  await mirror();
  expectOk(await site.pull("40"));
  expect(await mirrorLog()).toMatch(/"GET \/linux-amd64\/blobs\/sha256\/\S+ HTTP\/1.1" 200 .*skopeo/);

  await site.push("41");
  expect((await site.pull("41")).exitCode).not.toBe(0);
  // In base64, since shell, Elixir and Erlang each have quotes of their own.
  const body = Buffer.from(JSON.stringify({ repository: "fedora/app", tag: "41" })).toString("base64");
  const sent = [
    "rabbitmqctl --quiet eval '",
    `X = rabbit_misc:r(<<"/nearlayer">>, exchange, <<"amq.topic">>),`,
    `P = rabbit_basic:properties([{content_type, <<"application/json">>}, {message_id, <<"b3ba1a5e-8a1c-4f5c-9d5f-6f3e2d1c0b01">>}]),`,
    `ok = rabbit_basic:publish(X, <<"org.example.image.stable">>, P, base64:decode(<<"${body}">>)).'`,
  ].join(" ");
  await site.shell("hub", sent);
  await site.pulled("41");

  const hostile = await site.playbook("sync.yml", "-e", JSON.stringify({ msg: { repository: "a; reboot" } }));
  expect(hostile.exitCode).not.toBe(0);
  expect(hostile.stdout).toContain("no repository, or no tag, that the message names");
});

test("no secret can be read by others, on any host", async (context) => {
  await skipUnless(context, "hosts");
  const patterns = Object.values(SECRETS).map((secret) => `-e ${JSON.stringify(secret)}`);
  for (const host of ["hub", "front", "mirror1"]) {
    const found = await site.hosts.on(
      host,
      `runuser -u nobody -- grep -rslF ${patterns.join(" ")} /etc /opt/nearlayer/[!rp]* /usr/local /var/lib /var/log /srv /run 2>/dev/null`,
    );
    expect(found.stdout).toBe("");
    const arguments_ = await site.hosts.on(
      host,
      `cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cF ${patterns.join(" ")}`,
    );
    // The search itself has them in its arguments.
    expect(Number(arguments_.stdout)).toBeLessThanOrEqual(2 * patterns.length);
  }
  expect(await site.shell("hub", "stat -c '%U %a' /var/lib/nearlayer/nearlayer-syncer/generation.key")).toBe(
    "nearlayer-syncer 600",
  );
  const asked = await site.hosts.on(
    "front",
    "test ! -e /var/lib/nearlayer/nearlayer-syncer && runuser -u nearlayer-mirrorlist -- touch /srv/nearlayer/x",
  );
  expect(asked.exitCode).not.toBe(0);
});

test("the units are what systemd calls safe", async (context) => {
  await skipUnless(context, "hosts");
  const units: Record<string, string[]> = {
    hub: [
      "nearlayer-listen.service",
      "nearlayer-sync.service",
      "nearlayer-gc.service",
      "nearlayer-rsyncd.service",
      "docker-registry.service",
    ],
    front: ["nearlayer-mirrorlist@5000.service"],
    mirror1: ["nearlayer-mirror.service"],
  };
  for (const [host, names] of Object.entries(units)) {
    for (const name of names) {
      // From 0 to 10, times ten; Debian's own nginx has 96.
      const safe = await site.hosts.on(host, `systemd-analyze security --no-pager --threshold=30 ${name}`);
      expect(safe.exitCode, `${name}\n${safe.stdout.split("\n").slice(-3).join("\n")}`).toBe(0);
    }
    await site.shell(host, `systemd-analyze verify ${names.map((name) => name.replace("@.", "@5000.")).join(" ")}`);
  }
});

test("a wrong key in the variables stops before anything is touched", async (context) => {
  await skipUnless(context, "hosts");
  const before = await site.shell(
    "front",
    "sha256sum /etc/nearlayer/*.yaml; systemctl show -P MainPID nearlayer-mirrorlist@5000",
  );
  const wrong = JSON.stringify({ nearlayer_config: { mirrorlist: { delivry: "urls" } } });
  const run = await site.playbook("site.yml", "--tags", "mirrorlist", "-e", wrong);
  expect(run.exitCode).not.toBe(0);
  expect(run.stdout).toMatch(/:\d+: mirrorlist\.delivry: unknown key/);
  expect(
    await site.shell("front", "sha256sum /etc/nearlayer/*.yaml; systemctl show -P MainPID nearlayer-mirrorlist@5000"),
  ).toBe(before);
});

test("a change restarts the mirror lists one by one, and no pull fails", async (context) => {
  await skipUnless(context, "hosts", "skopeo");
  let asking = true;
  const answers: string[] = [];
  const client = (async () => {
    while (asking) {
      const line =
        "for i in $(seq 20); do curl -sk -o /dev/null -w '%{http_code}\\n' https://front/v2/fedora/app/manifests/40; done";
      answers.push(...(await site.hosts.run(["sh", "-c", line])).stdout.split("\n"));
    }
  })();
  const changed = JSON.stringify({ nearlayer_config: { crawler: { interval: "3s" } } });
  const run = await site.playbook("site.yml", "--tags", "mirrorlist", "-e", changed);
  asking = false;
  await client;
  expect(run.changes).toEqual([
    ...["front: mirrorlist : Configure each instance", "front: mirrorlist : Configure each instance"],
    ...["front: mirrorlist : Restart the instance on 5000", "front: mirrorlist : Restart the instance on 5001"],
  ]);
  expect(answers.length).toBeGreaterThan(20);
  expect([...new Set(answers)]).toEqual(["200"]);
});
