import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ChannelModel, connect } from "amqplib";
import type { Certificate } from "../process/certificate.ts";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";

/** A real RabbitMQ of its own, whose queues outlive a halt. */
export interface RabbitMq extends AsyncDisposable {
  /** `amqp://127.0.0.1:PORT` */
  readonly url: string;
  /** `amqps://127.0.0.1:PORT`, where it has a certificate; it then asks clients for one that it knows. */
  readonly tlsUrl: string | undefined;
  readonly logFile: string;
  /** Kills it, as a crash would. */
  halt(): Promise<void>;
  resume(): Promise<void>;
}

export interface RabbitMqOptions {
  readonly dir: string;
  /** Its own certificate, and the one that it believes of clients. */
  readonly tls?: { readonly own: Certificate & { readonly keyFile: string }; readonly clientCa: string };
}

/** The script itself: the command in /usr/sbin changes the user, and writes where only one can. */
const SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server";

export async function startRabbitMq({ dir, tls }: RabbitMqOptions): Promise<RabbitMq> {
  const [port, tlsPort, epmdPort, distPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const home = await mkdtemp(join(tmpdir(), "nearlayer-mq-"));
  const config = join(home, "rabbitmq.conf");
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    "log.console = true",
    "log.console.level = warning",
    "log.file = false",
    // However full the test's machine is.
    "vm_memory_high_watermark.relative = 0.9",
    "disk_free_limit.absolute = 1MB",
    ...(tls === undefined
      ? []
      : [
          `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
          `ssl_options.cacertfile = ${tls.clientCa}`,
          `ssl_options.certfile = ${tls.own.file}`,
          `ssl_options.keyfile = ${tls.own.keyFile}`,
          "ssl_options.verify = verify_peer",
          "ssl_options.fail_if_no_peer_cert = true",
        ]),
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  const epmdEnv = { ERL_EPMD_ADDRESS: "127.0.0.1", ERL_EPMD_PORT: String(epmdPort) };
  const env = {
    ...epmdEnv,
    HOME: home,
    RABBITMQ_NODENAME: `nearlayer-${port}@localhost`,
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_MNESIA_BASE: join(home, "mnesia"),
    RABBITMQ_LOG_BASE: home,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, "plugins"),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_PID_FILE: join(home, "pid"),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
    ERL_CRASH_DUMP: "/dev/null",
  };
  const url = `amqp://127.0.0.1:${port}`;
  const start = () =>
    startDaemon({
      name: "rabbitmq",
      dir,
      command: [SERVER],
      env,
      cwd: home,
      ready: () => answers(url),
      within: 60_000,
    });
  const remove = () => rm(home, { recursive: true, force: true, maxRetries: 5 });
  const epmd = await startDaemon({
    name: "epmd",
    dir,
    command: ["epmd"],
    env: epmdEnv,
    ready: () => isOpen(epmdPort),
  });
  let daemon: Daemon;
  try {
    daemon = await start();
  } catch (error) {
    await epmd.stop();
    await remove();
    throw error;
  }
  return {
    url,
    tlsUrl: tls === undefined ? undefined : `amqps://127.0.0.1:${tlsPort}`,
    logFile: daemon.logFile,
    async halt() {
      daemon.kill("SIGKILL");
      await daemon.stop();
      // Its name stays taken until epmd has noticed.
      await sleep(200);
    },
    async resume() {
      daemon = await start();
    },
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGKILL");
      await daemon.stop();
      await epmd.stop();
      await remove();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  let connection: ChannelModel | undefined;
  try {
    connection = await connect(url, { timeout: 2000 });
    return true;
  } finally {
    await connection?.close();
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
