import ipaddr from "ipaddr.js";

/**
 * The bytes of a small MaxMind database, for tests: records by IPv4 address, each for that address alone.
 * https://maxmind.github.io/MaxMind-DB/ says how one looks.
 */
export function mmdbOf(records: Readonly<Record<string, unknown>>, databaseType = "Test"): Buffer {
  const nodes: [number, number][] = [[-1, -1]];
  const data: Buffer[] = [];
  let size = 0;
  for (const [address, record] of Object.entries(records)) {
    const bits = ipaddr
      .parse(address)
      .toByteArray()
      .flatMap((byte) => [...byte.toString(2).padStart(8, "0")].map(Number));
    let node = 0;
    for (const bit of bits.slice(0, -1)) {
      const next = nodes[node]?.[bit as 0 | 1] ?? -1;
      const target = next >= 0 ? next : nodes.push([-1, -1]) - 1;
      setEdge(nodes, node, bit, target);
      node = target;
    }
    // Where the data begins is known when all nodes are there: until then, a place in it is a number below -1.
    setEdge(nodes, node, bits.at(-1) ?? 0, -2 - size);
    const encoded = encode(record);
    data.push(encoded);
    size += encoded.length;
  }
  const tree = nodes.flatMap((edges) => edges.map((edge) => pointer(edge, nodes.length)));
  const metadata = {
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1,
    database_type: databaseType,
    description: {},
    ip_version: 4,
    languages: [],
    node_count: nodes.length,
    record_size: 24,
  };
  const marker = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
  return Buffer.concat([...tree, Buffer.alloc(16), ...data, marker, encode(metadata)]);
}

function setEdge(nodes: [number, number][], node: number, bit: number, target: number): void {
  const edges = nodes[node];
  if (edges !== undefined) edges[bit as 0 | 1] = target;
}

/** A node's number, the number of nodes for nothing, more than that and the 16 zeros for a place in the data. */
function pointer(edge: number, nodeCount: number): Buffer {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntBE(edge >= 0 ? edge : edge === -1 ? nodeCount : nodeCount + 16 + (-2 - edge), 0, 3);
  return bytes;
}

function encode(value: unknown): Buffer {
  if (typeof value === "string") return Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
  }
  const entries = Object.entries(value as Record<string, unknown>);
  return Buffer.concat([control(7, entries.length), ...entries.flatMap((entry) => entry.map(encode))]);
}

/** Types above 7 have a byte of their own, and sizes above 28 have one too. */
function control(type: number, size: number): Buffer {
  const length = size < 29 ? [size] : [29, size - 29];
  const [first = 0, ...more] = length;
  return Buffer.from(type > 7 ? [first, type - 7, ...more] : [(type << 5) | first, ...more]);
}
