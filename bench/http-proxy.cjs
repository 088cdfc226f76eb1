// node http-proxy in front of the two upstreams, keep-alive towards them, CORS fields rewritten.
const http = require("node:http");
const httpProxy = require("http-proxy");
const { rewriteCors } = require("./cors.cjs");

const [listen, files, streams] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
const target = (request) =>
  `http://127.0.0.1:${request.url.startsWith("/socket.io/") || request.url.startsWith("/api/") ? streams : files}`;

rewriteCors(proxy);
proxy.on("error", (error, request, response) => response.destroy?.());
const server = http.createServer((request, response) => proxy.web(request, response, { target: target(request) }));
server.on("upgrade", (request, socket, head) => proxy.ws(request, socket, head, { target: target(request), agent: false }));
server.keepAliveTimeout = 3600_000;
server.listen(listen, "127.0.0.1", 4096);
