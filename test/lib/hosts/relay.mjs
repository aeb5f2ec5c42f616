// Runs in a network namespace: node relay.mjs ADDRESS PORT SOCKET. What connects there is carried to the Unix socket.
import { connect, createServer } from "node:net";

const [address, port, socket] = process.argv.slice(2);
createServer({ allowHalfOpen: true }, (client) => {
  const way = connect({ path: socket, allowHalfOpen: true });
  client.pipe(way).pipe(client);
  client.on("error", () => way.destroy());
  way.on("error", () => client.destroy());
}).listen(Number(port), address);
