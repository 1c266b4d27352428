// A browser that reads streams, told what to do by lines of JSON on stdin; what it sees comes
// as lines of JSON on stdout. test_browser.py is at the other end.
//
//   {"open": "name", "url": "…"}   opens an EventSource     {"close": "name"}
//   "raw": true                    whose events without a name are text, not JSON
//   → {"name", "type": "event"|"error"|"open"|"request"|"response", …}
//
// Usage: node browser.mjs URL-OF-A-PAGE   (the modules beside this file, or in NODE_MODULES)
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { EVENTS } from "./events.mjs";

const require = createRequire((process.env.NODE_MODULES ?? import.meta.dirname ?? ".") + "/x.js");
const { chromium } = require("playwright-core");

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const page = await browser.newPage();
page.on("request", (r) => tell({ type: "request", url: r.url() }));
page.on("response", (r) => tell({ type: "response", url: r.url(), status: r.status() }));
await page.exposeFunction("tell", tell);
await page.goto(process.argv[2]);
tell({ type: "ready", browser: browser.version() });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  await page.evaluate(({ command, events }) => {
    window.sources ??= {};
    if (command.close) {
      window.sources[command.close].close();
      return;
    }
    const name = command.open;
    const source = (window.sources[name] = new EventSource(command.url));
    source.onopen = () => window.tell({ name, type: "open" });
    source.onerror = () => window.tell({ name, type: "error", state: source.readyState });
    for (const event of events)
      source.addEventListener(event, (e) => window.tell({
        name, type: "event", event, id: e.lastEventId,
        data: command.raw && event === "message" ? e.data : JSON.parse(e.data),
      }));
  }, { command, events: EVENTS });
}
await browser.close();
