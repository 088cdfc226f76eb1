// undici over HTTP/2: requests side by side, a body each way, and a WebSocket on the same connection.
// Arguments: the origin, and the file of the authority. Prints what it got as JSON.
import { readFileSync } from "node:fs";
import { Agent, WebSocket, fetch, request } from "undici";

const [origin, authority] = process.argv.slice(2);
const dispatcher = new Agent({ allowH2: true, connections: 1, connect: { ca: readFileSync(authority) } });
const said = {};

const answers = await Promise.all(
  Array.from({ length: 20 }, (_, number) => fetch(`${origin}/echo`, { dispatcher, method: "POST", body: `${number}` })),
);
said.texts = await Promise.all(answers.map((answer) => answer.text()));
const { statusCode, headers, body } = await request(`${origin}/how`, { dispatcher });
said.status = statusCode;
said.how = await body.text();
said.connection = headers.connection ?? null;

const socket = new WebSocket(origin.replace("https:", "wss:") + "/socket", { dispatcher, protocols: ["chat"] });
socket.onerror = (event) => {
  said.error = String(event.error ?? event.message);
};
socket.onopen = () => socket.send("hi");
socket.onmessage = ({ data }) => {
  said.message = data;
  said.protocol = socket.protocol;
  socket.close(1000, "bye");
};
socket.onclose = async ({ code, reason }) => {
  said.closed = [code, reason];
  await dispatcher.close();
  console.log(JSON.stringify(said));
};
