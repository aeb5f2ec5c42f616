import { createServer } from "node:net";

const given = new Set<number>();

/** A TCP port of 127.0.0.1 that is free now and was not given to anybody else in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await tryPort();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function tryPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
