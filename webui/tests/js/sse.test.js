import assert from "node:assert/strict";
import { test } from "node:test";
import { chatEvents, EventParser } from "../../static/js/api.js";

const STREAM = 'data: {"type":"chunk","delta":"Grüße 🙂"}\r\n\r\n: keep-alive\n\ndata: one\ndata: two\n\nevent: x\rdata:three\r\rid: 4\n\n';
const EVENTS = ['{"type":"chunk","delta":"Grüße 🙂"}', "one\ntwo", "three"];

test("any chunking gives the same events", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    assert.deepEqual(events, EVENTS, `in pieces of ${size}`);
  }
});

test("an event without its end is not given", () => {
  assert.deepEqual(new EventParser().push("data: half\n"), []);
});

test("bytes cut inside a character are put together again", async () => {
  const bytes = new TextEncoder().encode('data: {"delta":"🙂é"}\n\ndata: {"delta":"!"}\n\n');
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  const events = [];
  for await (const event of chatEvents(body)) events.push(event.delta);
  assert.deepEqual(events, ["🙂é", "!"]);
});
