import { type Nginx, startNginx } from "./nginx.ts";

/** Addresses that the country database places where a test wants its client to be. */
export const addressIn = {
  JP: "133.11.0.1",
  DE: "141.1.1.1",
  US: "8.8.8.8",
} as const;

export interface EdgeOptions {
  readonly name: string;
  readonly dir: string;
  readonly port?: number;
  /** `http://127.0.0.1:PORT` of the mirror list, or of whatever stands behind. */
  readonly backend: string;
  /** The address that clients of this edge appear to come from. */
  readonly clientAddress: string;
}

/**
 * A reverse proxy that says of every client that it comes from one given address. Who pulls through it is "in Japan";
 * its log shows what the mirror list itself answered.
 */
export function startEdge({ backend, clientAddress, ...options }: EdgeOptions): Promise<Nginx> {
  return startNginx({
    ...options,
    server: [
      "location / {",
      `  proxy_pass ${backend.replace(/\/$/, "")};`,
      "  proxy_http_version 1.1;",
      "  proxy_buffering off;",
      "  proxy_redirect off;",
      "  proxy_set_header Host $http_host;",
      `  proxy_set_header X-Forwarded-For ${clientAddress};`,
      "  proxy_set_header X-Forwarded-Proto $scheme;",
      "}",
    ],
  });
}
