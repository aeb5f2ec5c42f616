// The least that node:http can do: node bare-server.ts PORT redirect | bytes N
import { createServer, type RequestListener } from "node:http";

const [port, what, bytes = "0"] = process.argv.slice(2);
const body = Buffer.alloc(Number(bytes), "x");

const redirect: RequestListener = (request, response) => {
  response.writeHead(307, { Location: `http://mirror.example.org${request.url}`, "Content-Length": 0 }).end();
};
const send: RequestListener = (_, response) => {
  const type = "application/vnd.docker.distribution.manifest.v2+json";
  response.writeHead(200, { "Content-Type": type, "Content-Length": body.length }).end(body);
};

createServer(what === "redirect" ? redirect : send).listen(Number(port), "127.0.0.1");
