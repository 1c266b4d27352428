// As browser.mjs, without a browser: the EventSource is that of the npm package "eventsource".
//
// Usage: node package_client.mjs URL-OF-A-PAGE   (the modules beside this file, or in NODE_MODULES)
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { EVENTS } from "./events.mjs";

const require = createRequire((process.env.NODE_MODULES ?? import.meta.dirname ?? ".") + "/x.js");
const { EventSource } = require("eventsource");

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const sources = {};

const tellingFetch = async (url, init) => {
  tell({ type: "request", url: url.toString() });
  const response = await fetch(url, init);
  tell({ type: "response", url: url.toString(), status: response.status });
  return response;
};

tell({ type: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.close) {
    sources[command.close].close();
    continue;
  }
  const name = command.open;
  const source = new EventSource(new URL(command.url, process.argv[2]), { fetch: tellingFetch });
  sources[name] = source;
  source.onopen = () => tell({ name, type: "open" });
  source.onerror = () => tell({ name, type: "error", state: source.readyState });
  for (const event of EVENTS)
    source.addEventListener(event, (e) => tell({
      name, type: "event", event, id: e.lastEventId,
      data: command.raw && event === "message" ? e.data : JSON.parse(e.data),
    }));
}
process.exit(0);
