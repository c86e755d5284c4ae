// Checks one delivery with the library of Standard Webhooks, and one that somebody changed.
// Writes its port, reads the secret, writes the type of the event.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const webhook = new Webhook(await secret);
  const event = webhook.verify(body, request.headers);
  try {
    webhook.verify(body.replace("Hello", "Goodbye"), request.headers);
    throw new Error("a changed delivery was taken");
  } catch (error) {
    if (error.name !== "WebhookVerificationError") throw error;
  }
  response.writeHead(204).end();
  console.log(`${event.type} ${event.data.body}`);
  server.close();
});
const secret = new Promise((resolve) => {
  createInterface({ input: process.stdin }).once("line", resolve);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
