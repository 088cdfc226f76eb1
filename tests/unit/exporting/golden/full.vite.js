// Vite's `server.proxy`, for the routes of devproxy.toml. Written by `devproxy export` (devproxy VERSION).
// It is for development: put `server` into vite.config.js.
//
// Not carried over:
// - waiting for servers that restart (hold_s), faults, the inspector, the guard: with a proxied WebSocket,
//   Vite checks neither Host nor Origin, so that every web site can open it.
// - CORS for each route: Vite answers preflights itself, by `server.cors`, for all paths alike, and the
//   server's own headers pass.

export default {
  server: {
    // Pages of other origins that may read, besides those of this machine.
    cors: { origin: [/^https?:\/\/(?:(?:[^:]+\.)?localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/, /^https:\/\/(?:[a-z0-9_-]+\.)+preview\.example\.org$/, /^https:\/\/shop\.example\.org$/], credentials: true },
    // The first key that matches takes a request; all others are Vite's own.
    proxy: {
      // /admin/ (admin.example.com, *.admin.example.com) (devproxy.toml:51): legacy
      // Left out: Vite's keys see the path alone, not methods, hosts or headers.
      // = /health (devproxy.toml:57): rest
      // Vite knows one server for a key; this is the first one.
      "^/health(?:\\?|$)": {
        target: "http://10.0.0.5:4001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        rewrite: (path) => path.replace(/^[^?]*/, "/status"),
        autoRewrite: true,  // a redirect to the server comes back here
        proxyTimeout: 20000,
      },
      // ~ /v[0-9]{1,3}/\d+ (devproxy.toml:67): rest
      // Vite knows one server for a key; this is the first one.
      "^(?:/v[0-9]{1,3}/\\d+)(?:\\?|$)": {
        target: "http://10.0.0.5:4001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        proxyTimeout: 20000,
      },
      // /files/**/x-*.map (devproxy.toml:62): rest
      // Vite knows one server for a key; this is the first one.
      "^/files/(?:.*/)?x-[^/]*\\.map(?:\\?|$)": {
        target: "http://10.0.0.5:4001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        autoRewrite: true,  // a redirect to the server comes back here
        proxyTimeout: 20000,
      },
      // /socket.io/ (devproxy.toml:23): sockets, Socket.IO
      // Vite knows one server for a key; this is the first one.
      "^/socket\\.io(?:[/?]|$)": {
        target: "http://10.0.0.5:3001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        autoRewrite: true,  // a redirect to the server comes back here
        proxyTimeout: 30000,
      },
      // /api/ (POST; X-Tenant: blue*) (devproxy.toml:39): legacy
      // Left out, because it is for development: fault (200 ms late).
      // Left out: Vite's keys see the path alone, not methods, hosts or headers.
      // /api/ (devproxy.toml:29): rest
      // Vite knows one server for a key; this is the first one.
      // Cookies of a server that does not know its prefix keep their Path.
      "^/api(?:[/?]|$)": {
        target: "http://10.0.0.5:4001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        rewrite: (path) => path.replace(/^\/api\/*/, "/"),
        autoRewrite: true,  // a redirect to the server comes back here
        proxyTimeout: 20000,
        headers: { "X-Forwarded-Prefix": "/api" },
      },
      // / (devproxy.toml:72): frontend
      // Vite itself; nothing to write.
    },
  },
};
