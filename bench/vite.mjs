// A Vite dev server as a project has it, whose server.proxy leads everything to the two upstreams; CORS fields rewritten.
import { createServer } from "vite";
import { rewriteCors } from "./cors.cjs";

const [root, ...numbers] = process.argv.slice(2);
const [port, files, streams] = numbers.map(Number);

const to = (upstream, more) => ({ target: `http://127.0.0.1:${upstream}`, xfwd: true, configure: rewriteCors, ...more });
const server = await createServer({
  root,
  configFile: false,
  logLevel: "error",
  server: {
    host: "127.0.0.1",
    port,
    strictPort: true,
    cors: false, // the rewriting does it
    proxy: { "/socket.io/": to(streams, { ws: true }), "/api/": to(streams), "/": to(files) },
  },
});
await server.listen();
