// A conversation as a tree of questions and answers, and the one branch of it that is shown.

/** @typedef {{ id: string, name: string, media_type: string, size: number }} Attachment
 * @typedef {{ id: string, name: string, arguments: string }} ToolCall
 * @typedef {{ id: string, role: "user", parent: string | null, text: string, at: number, models: string[], attachments: Attachment[] }} Question
 * @typedef {{ id: string, role: "assistant", parent: string, text: string, at: number, model: string, requestId: string | null,
 *   state: "live" | "done" | "stopped" | "failed", problem: import("./errors.js").Problem | null, reasoning: string, toolCalls: ToolCall[],
 *   record: import("./receipt.js").RequestRecord | null }} Answer
 * @typedef {Question | Answer} Node in the order they were made
 * @typedef {{ id: string, parent: string | null, text: string, attachments: Attachment[], models: string[], answers: Answer[], shown: number,
 *   siblings: string[] }} Turn a question with its answers; `siblings`: this wording and the others that stand in its place */

const TITLE_LENGTH = 60;
const NEW = "New chat";

/** The newest message at the end of the branch that begins with this one. @param {Node[]} nodes @param {string | null} id */
export function endOf(nodes, id) {
  let end = id;
  // A child is made after its parent, so one pass finds the newest of each.
  const newest = new Map(nodes.map((node) => [node.parent, node.id]));
  for (let next = newest.get(end); next !== undefined; next = newest.get(end)) end = next;
  return end;
}

/** The branch that ends with this message, oldest first. @param {Node[]} nodes @param {string | null} leaf @returns {Turn[]} */
export function turnsOf(nodes, leaf) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const children = new Map(nodes.map((node) => [node.parent, /** @type {Node[]} */ ([])]));
  for (const node of nodes) children.get(node.parent)?.push(node);
  /** @type {Turn[]} */
  const turns = [];
  /** @type {Node | undefined} */
  let node = byId.get(leaf ?? "") ?? byId.get(endOf(nodes, null) ?? "");
  let reached = "";
  while (node) {
    if (node.role === "user") turns.push(turnOf(node, children, reached));
    reached = node.id;
    node = byId.get(node.parent ?? "");
  }
  return turns.reverse();
}

/** @param {Question} question @param {Map<string | null, Node[]>} children @param {string} reached the answer that the branch goes through @returns {Turn} */
function turnOf(question, children, reached) {
  const { id, parent, text, attachments, models } = question;
  const answers = (children.get(id) ?? []).filter((node) => node.role === "assistant");
  const siblings = (children.get(parent) ?? []).flatMap((node) => (node.role === "user" ? [node.id] : []));
  const at = answers.findIndex((answer) => answer.id === reached);
  return { id, parent, text, attachments, models, answers, shown: at < 0 ? Math.max(0, answers.length - 1) : at, siblings };
}

/** What was said before a turn, as a model is told it: where several were asked at once, each goes on from its own answers.
 * @param {Turn[]} turns @param {string} turnId @param {string} model @returns {{ role: "user" | "assistant", text: string, attachments: Attachment[] }[]} */
export function saidBefore(turns, turnId, model) {
  const end = turns.findIndex((turn) => turn.id === turnId);
  return turns.slice(0, end < 0 ? turns.length : end).flatMap(({ text, attachments, models, answers, shown }) => {
    const own = models.length > 1 ? answers.findLast((answer) => answer.model === model && answer.text) : undefined;
    const answer = own ?? answers[shown];
    if (!answer?.text) return [];
    return [
      { role: /** @type {const} */ ("user"), text, attachments },
      { role: /** @type {const} */ ("assistant"), text: answer.text, attachments: [] },
    ];
  });
}

/** The first words of the first question. @param {Node[]} nodes */
export function titleOf(nodes) {
  const line = (nodes[0]?.text ?? "")
    .trim()
    .split("\n")[0]
    .replace(/^[#>*`\s-]+/, "");
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH)}…` : line || NEW;
}

/** Which of several answers to a question was the cheapest and which the fastest; "" where that cannot be said.
 * @param {Answer[]} answers */
export function winners(answers) {
  const done = answers.filter(({ state, record }) => state === "done" && record);
  if (done.length < 2) return { cheapest: "", fastest: "" };
  const priced = done.every(({ record }) => record?.cost_nano_usd != null);
  return {
    cheapest: priced ? least(done, ({ record }) => record?.cost_nano_usd ?? 0) : "",
    fastest: least(done, ({ record }) => record?.response_time ?? Number.POSITIVE_INFINITY),
  };
}

/** @param {Answer[]} answers @param {(answer: Answer) => number} figure */
function least(answers, figure) {
  const lowest = Math.min(...answers.map(figure));
  const found = answers.filter((answer) => figure(answer) === lowest);
  return found.length === 1 ? found[0].id : "";
}
