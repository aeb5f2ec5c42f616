import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AccessLog, accessLog, isSettling, settleByRequest } from "../process/access-log.ts";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";

/** One line of nginx's access log. */
export interface HttpRequest {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  /** Of the body, as sent. */
  readonly bytes: number;
  /** The request's Range header, or empty. */
  readonly range: string;
  readonly agent: string;
  /** The response's Location header, or empty. */
  readonly location: string;
}

/** A real nginx of one worker, so that its log is in the order of its answers. */
export interface Nginx extends Daemon {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly port: number;
  readonly log: AccessLog<HttpRequest>;
}

export interface NginxOptions {
  /** For logs and errors. */
  readonly name: string;
  readonly dir: string;
  readonly port?: number;
  /** Directives of the server block. */
  readonly server: readonly string[];
}

export async function startNginx({ name, dir, server, ...rest }: NginxOptions): Promise<Nginx> {
  const port = rest.port ?? (await freePort());
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}/`;
  await mkdir(join(dir, "tmp"), { recursive: true });
  const config = join(dir, "nginx.conf");
  await writeFile(config, nginxConfig(dir, host, server));
  const file = join(dir, "access.log");
  const settleUrl = `${url}.nearlayer-settle`;
  const daemon = await startDaemon({
    name,
    dir,
    command: ["nginx", "-p", dir, "-c", config, "-e", "stderr"],
    ready: async () => (await fetch(settleUrl)).status === 204,
  });
  return {
    ...daemon,
    url,
    host,
    port,
    log: accessLog({ file, parse: parseLine, settle: settleByRequest(settleUrl, file) }),
  };
}

function nginxConfig(dir: string, address: string, server: readonly string[]): string {
  // As root, the workers would else be someone who cannot read a test's folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr; ${user}
events { worker_connections 1024; }
http {
  ${temporary.map((kind) => `${kind}_temp_path ${dir}/tmp/${kind};`).join(" ")}
  types {}
  default_type application/octet-stream;
  log_format entry escape=json '{"method":"$request_method","uri":"$request_uri","status":$status,'
    '"bytes":$body_bytes_sent,"range":"$http_range","location":"$sent_http_location","agent":"$http_user_agent"}';
  access_log ${dir}/access.log entry;
  sendfile on;
  server {
    listen ${address};
    server_name _;
    location = /.nearlayer-settle { return 204; }
    ${server.join("\n    ")}
  }
}
`;
}

function parseLine(line: string): HttpRequest | undefined {
  if (!line.startsWith("{")) return undefined;
  const entry: HttpRequest = JSON.parse(line);
  return isSettling(entry.agent) || entry.uri === "/.nearlayer-settle" ? undefined : entry;
}
