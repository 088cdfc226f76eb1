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
    // The first key that matches takes a request; all others are Vite's own.
    proxy: {
      // /socket.io/ (devproxy.toml:5): backend, Socket.IO
      "^/socket\\.io(?:[/?]|$)": {
        target: "http://localhost:3001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        autoRewrite: true,  // a redirect to the server comes back here
      },
      // /api/ (devproxy.toml:9): backend
      "^/api(?:[/?]|$)": {
        target: "http://localhost:3001",
        ws: true,
        xfwd: true,
        changeOrigin: false,
        autoRewrite: true,  // a redirect to the server comes back here
      },
      // / (devproxy.toml:13): frontend
      // Vite itself; nothing to write.
    },
  },
};
