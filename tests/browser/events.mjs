// The events that streams have, by their names.
export const EVENTS = [
  "log", "status", "event", "state", "message", "complete", "done", "gap", "gone", "refused",
  "heartbeat",
];
