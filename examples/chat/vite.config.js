import { defineConfig } from 'vite';

// Nothing here is about devproxy: Vite's client opens its HMR WebSocket on the origin that served it.
export default defineConfig({
  clearScreen: false, // the chat server prints to the same terminal
  server: {
    port: Number(process.env.PAGE_PORT ?? 5173),
    strictPort: true, // devproxy.toml names this port, so a taken one is an error rather than another port
  },
});
