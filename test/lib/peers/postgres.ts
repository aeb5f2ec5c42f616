import { chown, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";
import { run, runOk } from "../process/run.ts";

/** A real PostgreSQL server of its own, which takes any user of 127.0.0.1 at their word, but `guarded`. */
export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly logFile: string;
  /** Makes an empty database, owned by the role `nearlayer`, and gives its URL. */
  createDatabase(): Promise<string>;
  /** Runs a statement as the administrator and gives its rows, a line each, columns between `|`. */
  query(sql: string, database?: string): Promise<string>;
  /** Ends the server: `fast` cuts its clients off in order, `immediate` is a crash. */
  halt(how: "fast" | "immediate"): Promise<void>;
  /** Starts it again, at the same address with the same data. */
  resume(): Promise<void>;
}

export interface PostgresOptions {
  /** For its log. */
  readonly dir: string;
  /** Whether commits reach the disk; false by default, which is fast. */
  readonly fsync?: boolean;
}

/** The role that only gets in with this password. */
export const guarded = { user: "guarded", password: "p@ss/w:rd %41" } as const;

export async function startPostgres({ dir, fsync = false }: PostgresOptions): Promise<Postgres> {
  const bin = await postgresFolder();
  const port = await freePort();
  // Not in `dir`: the server's user may not enter the folders of a test.
  const home = await mkdtemp(join(tmpdir(), "nearlayer-pg-"));
  const as = await ownerOf(home);
  const data = join(home, "data");
  const remove = () => rm(home, { recursive: true, force: true, maxRetries: 3 });
  const start = () =>
    startDaemon({
      name: "postgres",
      dir,
      command: [
        ...[...as, join(bin, "postgres"), "-D", data, "-k", home, "-p", String(port)],
        ...["-c", "listen_addresses=127.0.0.1", "-c", `fsync=${fsync ? "on" : "off"}`, "-c", "max_connections=50"],
        ...["-c", "shared_buffers=64MB", "-c", "log_statement=none"],
      ] as [string, ...string[]],
      ready: async () => (await psql("postgres", "select 1")).exitCode === 0,
      within: 30_000,
    });
  const client = ["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", String(port), "-U", "postgres"];
  const psql = (database: string, sql: string) => run("psql", [...client, "-d", database, "-c", sql]);

  let daemon: Daemon;
  try {
    await initialize(as, bin, data);
    daemon = await start();
  } catch (error) {
    await remove();
    throw error;
  }
  const query = async (sql: string, database = "postgres") => {
    const result = await psql(database, sql);
    if (result.exitCode !== 0) throw new Error(`${sql}: ${result.stderr}`);
    return result.stdout;
  };
  const halt = async (how: "fast" | "immediate") => {
    if (daemon.running()) daemon.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await daemon.stop();
  };
  await query("create role nearlayer login");
  await query(`create role ${guarded.user} login password '${guarded.password}'`);
  let databases = 0;
  return {
    port,
    logFile: daemon.logFile,
    query,
    halt,
    async createDatabase() {
      const name = `catalog_${++databases}`;
      await query(`create database ${name} owner nearlayer`);
      return `postgres://nearlayer@127.0.0.1:${port}/${name}`;
    },
    async resume() {
      daemon = await start();
    },
    async [Symbol.asyncDispose]() {
      await halt("fast");
      await remove();
    },
  };
}

async function initialize(as: readonly string[], bin: string, data: string): Promise<void> {
  const initdb = [join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
  // A language's rules by default, so that whatever leans on the order of bytes by chance is found out.
  const linguistic = [...as, ...initdb, "--locale-provider=icu", "--icu-locale=en-US"];
  const [first = "", ...args] = linguistic;
  if ((await run(first, args)).exitCode !== 0) {
    await rm(data, { recursive: true, force: true });
    const [file = "", ...plain] = [...as, ...initdb];
    await runOk(file, plain);
  }
  const access = `host all ${guarded.user} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n`;
  await writeFile(join(data, "pg_hba.conf"), access);
}

/** Gives the folder to whom the server runs as, which is never root, and says how to become that user. */
async function ownerOf(folder: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (which) => (await runOk("id", [which, "postgres"])).stdout),
  );
  await chown(folder, Number(uid), Number(gid));
  // It is lost when the user changes, so that it is said once more.
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--pdeathsig", "INT", "--"];
}

/** The folder of the newest server's commands: Debian keeps them away from PATH. Throws when there is none. */
export async function postgresFolder(): Promise<string> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) {
    const bin = `/usr/lib/postgresql/${version}/bin`;
    if ((await run(join(bin, "postgres"), ["--version"])).exitCode === 0) return bin;
  }
  throw new Error("PostgreSQL's server is not installed (in Debian: postgresql)");
}
