// @ts-check
// What was said in a request, whichever wire it came over: OpenAI's messages, Anthropic's blocks, Google's contents, Responses' items.

const ROLES = /** @type {Record<string, string>} */ ({
  function_call: "assistant",
  function_call_output: "tool",
  reasoning: "assistant",
});

/** The messages of a stored conversation, as pairs of role and text. @param {any} messages @returns {[string, string][]} */
export function conversation(messages) {
  return [messages].flat().map((message) => [String(message?.role ?? ROLES[message?.type] ?? "message"), words(message)]);
}

/** @param {any} message */
function words(message) {
  if (typeof message === "string") return message;
  const said = [...asList(message?.content ?? message?.parts), ...asList(message?.tool_calls).map(call)];
  return (said.length ? said : [message]).map(part).filter(Boolean).join("\n");
}

/** One part of any wire as text. @param {any} given @returns {string} */
function part(given) {
  if (typeof given === "string") return given;
  if (typeof given?.text === "string") return given.text;
  if (given?.type === "thinking") return `(thinking) ${given.thinking}`;
  if (given?.type === "reasoning") return `(thinking) ${asList(given.summary).map(part).join("\n")}`;
  if (typeof given?.refusal === "string") return given.refusal;
  return called(given) ?? answered(given) ?? shown(given) ?? JSON.stringify(given);
}

/** A call to a tool. @param {any} given */
function called(given) {
  const asked = given?.functionCall ?? given?.function_call ?? (["tool_use", "function_call"].includes(given?.type) ? given : null);
  return asked && `→ ${asked.name}(${compact(asked.args ?? asked.input ?? asked.arguments)})`;
}

/** What a tool gave back. @param {any} given */
function answered(given) {
  const result = given?.functionResponse ?? given?.function_response;
  if (result) return `← ${result.name}: ${compact(result.response)}`;
  if (given?.type === "tool_result") return `← ${asList(given.content).map(part).join("\n")}`;
  return given?.type === "function_call_output" ? `← ${asList(given.output).map(part).join("\n")}` : null;
}

/** A picture, a sound or a document: what it is and how large, not its bytes. @param {any} given */
function shown(given) {
  const source = given?.source ?? given?.inlineData ?? given?.inline_data ?? given?.fileData ?? given?.input_audio ?? given?.file;
  const address = given?.image_url?.url ?? given?.image_url ?? source?.url ?? source?.fileUri ?? source?.file_data ?? given?.file_data;
  const inline = typeof address === "string" ? /^data:([^;,]*)/.exec(address) : null;
  const kind = inline?.[1] || source?.media_type || source?.mimeType || source?.mime_type || source?.format || given?.type || "file";
  const data = inline ? String(address).split(",", 2)[1] : source?.data;
  if (typeof data === "string") return `[${kind}, ${Math.ceil((data.length * 3) / 4 / 1024)} KB]`;
  return typeof address === "string" ? `[${kind}: ${address}]` : null;
}

/** OpenAI's calls as the other wires have theirs. @param {any} given */
function call(given) {
  return { type: "function_call", name: given?.function?.name ?? "?", arguments: given?.function?.arguments };
}

/** @param {any} value @returns {any[]} */
function asList(value) {
  return value == null ? [] : Array.isArray(value) ? value : [value];
}

/** @param {any} value */
function compact(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? {});
}
