import assert from "node:assert/strict";
import test from "node:test";
import { conversation } from "../../static/js/said.js";

const PNG = `data:image/png;base64,${"A".repeat(4096)}`;

const cases = /** @type {[string, any, [string, string][]][]} */ ([
  ["plain words", [{ role: "user", content: "hi" }], [["user", "hi"]]],
  [
    "parts",
    [
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "image_url", image_url: { url: PNG } },
        ],
      },
    ],
    [["user", "a\n[image/png, 3 KB]"]],
  ],
  [
    "OpenAI's calls",
    [{ role: "assistant", content: null, tool_calls: [{ function: { name: "f", arguments: '{"x":1}' } }] }],
    [["assistant", '→ f({"x":1})']],
  ],
  ["a tool's message", [{ role: "tool", tool_call_id: "c", content: "42" }], [["tool", "42"]]],
  [
    "Anthropic's blocks",
    [
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm" },
          { type: "tool_use", name: "f", input: { x: 1 } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", content: [{ type: "text", text: "42" }] },
          { type: "image", source: { media_type: "image/png", data: "AAAA" } },
        ],
      },
    ],
    [
      ["assistant", '(thinking) hm\n→ f({"x":1})'],
      ["user", "← 42\n[image/png, 1 KB]"],
    ],
  ],
  [
    "Google's contents",
    [
      {
        role: "user",
        parts: [
          { text: "hi" },
          { inlineData: { mimeType: "audio/mp3", data: "AAAA" } },
          { fileData: { mimeType: "video/mp4", fileUri: "https://x/y" } },
        ],
      },
      { role: "model", parts: [{ functionCall: { name: "f", args: { x: 1 } } }] },
      { role: "user", parts: [{ functionResponse: { name: "f", response: { y: 2 } } }] },
    ],
    [
      ["user", "hi\n[audio/mp3, 1 KB]\n[video/mp4: https://x/y]"],
      ["model", '→ f({"x":1})'],
      ["user", '← f: {"y":2}'],
    ],
  ],
  [
    "Responses' items",
    [
      { role: "user", content: [{ type: "input_text", text: "hi" }] },
      { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] },
      { type: "function_call", name: "f", arguments: "{}" },
      { type: "function_call_output", output: "42" },
    ],
    [
      ["user", "hi"],
      ["assistant", "(thinking) hm"],
      ["assistant", "→ f({})"],
      ["tool", "← 42"],
    ],
  ],
  ["a conversation that is one text", "hi", [["message", "hi"]]],
  ["what nobody knows", [{ role: "user", content: [{ type: "hologram", size: 3 }] }], [["user", '{"type":"hologram","size":3}']]],
]);

for (const [name, messages, expected] of cases)
  test(`${name} can be read`, () => {
    assert.deepEqual(conversation(messages), expected);
  });
