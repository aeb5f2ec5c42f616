import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** The connections of a server: idle ones can be told from those with an answer under way. */
export interface Connections {
  readonly size: number;
  /** Calls back once nothing is under way on the connection; at once when nothing is. */
  whenIdle(socket: Socket, then: () => void): void;
  /** Closes what is idle now, and each other connection as soon as its answers have gone out. */
  drain(): void;
  /** Closes everything as it stands. */
  destroy(): void;
}

interface Connection {
  /** With TLS, first the one below it, then the one that requests come from. */
  socket: Socket;
  /**
   * Those under way: one, as a rule. Not a set: what is added to one and deleted again is held by its old tables, which
   * lead from one to the next, until the whole heap is swept.
   */
  readonly answers: ServerResponse[];
  readonly waiting: (() => void)[];
}

/**
 * Watches the connections of a server, and keeps to `max()` of them: a new one takes the place of the one that has
 * been idle for longest, so that who only holds connections keeps nobody out. `onEvicted` is told of each. (Node's own
 * `closeIdleConnections` passes over connections that have not sent anything yet.)
 */
export function trackConnections(server: Server, max: () => number, onEvicted: () => void): Connections {
  /** In the order of use, the longest idle first. */
  const connections = new Set<Connection>();
  const bySocket = new WeakMap<Socket, Connection>();
  const handshakes = new Map<string, Connection>();
  let isDraining = false;

  const makeRoom = () => {
    for (const connection of connections) {
      if (connections.size <= max()) return;
      if (connection.answers.length > 0) continue;
      connections.delete(connection);
      connection.socket.destroy();
      onEvicted();
    }
  };
  server.on("connection", (socket: Socket) => {
    const connection: Connection = { socket, answers: [], waiting: [] };
    const key = keyOf(socket);
    connections.add(connection);
    bySocket.set(socket, connection);
    handshakes.set(key, connection);
    socket.once("close", () => {
      connections.delete(connection);
      if (handshakes.get(key) === connection) handshakes.delete(key);
    });
    // When all others are busy, the last one that is idle is the new one itself.
    if (connections.size > max()) makeRoom();
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    const connection = handshakes.get(keyOf(socket));
    if (connection === undefined) return;
    connection.socket = socket;
    bySocket.set(socket, connection);
  });
  const onRequest = ({ socket }: { socket: Socket }, response: ServerResponse) => {
    const connection = bySocket.get(socket);
    if (connection === undefined) return;
    connections.delete(connection);
    connections.add(connection);
    connection.answers.push(response);
    if (isDraining) response.shouldKeepAlive = false;
    response.on("close", onClosed);
  };
  // The same for all, so that an answer brings no function of its own.
  function onClosed(this: ServerResponse) {
    const connection = bySocket.get(this.req.socket);
    if (connection === undefined) return;
    const { answers, waiting } = connection;
    answers.splice(answers.indexOf(this), 1);
    if (answers.length > 0) return;
    for (const then of waiting.splice(0)) then();
  }
  server.on("request", onRequest).on("checkContinue", onRequest).on("checkExpectation", onRequest);

  return {
    get size() {
      return connections.size;
    },
    whenIdle(socket, then) {
      const connection = bySocket.get(socket);
      if (connection === undefined || connection.answers.length === 0) then();
      else connection.waiting.push(then);
    },
    drain() {
      isDraining = true;
      for (const { answers, socket, waiting } of connections) {
        if (answers.length === 0) socket.destroy();
        // Says so to the client, where the head of the answer has not gone out yet.
        for (const answer of answers) answer.shouldKeepAlive = false;
        waiting.push(() => socket.destroySoon());
      }
    },
    destroy() {
      for (const { socket } of connections) socket.destroy();
    },
  };
}

/** The same for a TLS socket and for the one below it. */
const keyOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;
