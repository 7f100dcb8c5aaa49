"use strict";

// The chat page: Markdown, event stream, conversations, view. Text from outside enters the page only as text nodes.

const byId = (id) => document.getElementById(id);

/** A new element: properties are assigned, children and lists of children (strings become text nodes) appended. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const child of children.flat()) element.append(child);
  return element;
}

// ---- Markdown: inline ----

const maxDepth = 12;
const maxOpeners = 64;
const maxAddress = 2048;
const punctuation = /[!-/:-@[-`{-~]/;
const marks = { "*": "em", "_": "em", "**": "strong", "__": "strong", "~~": "del" };

/** The address if it is absolute with a scheme that cannot run script, else null. */
function safeAddress(text) {
  if (text.length > maxAddress || !/^(https?:|mailto:)/i.test(text)) return null;
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, children) {
  return make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, children);
}

/** Where each run of backticks starts, by its length: closers are found without scanning the text again. */
function backtickRuns(text) {
  const runs = new Map();
  for (const match of text.matchAll(/`+/g)) {
    const length = match[0].length;
    if (!runs.has(length)) runs.set(length, { starts: [], next: 0 });
    runs.get(length).starts.push(match.index);
  }
  return runs;
}

function nextRun(runs, length, after) {
  const run = runs.get(length);
  while (run && run.next < run.starts.length && run.starts[run.next] < after) run.next += 1;
  return run?.starts[run.next] ?? -1;
}

/** One pass over a paragraph. Openers wait on a bounded stack; a closer wraps what came since, so no text is read twice. */
class Inline {
  constructor(text) {
    this.text = text;
    this.out = [];
    this.depths = [];
    this.openers = [];
    this.runs = null;
  }

  push(node, depth = 0) {
    this.out.push(node);
    this.depths.push(depth);
  }

  nodes() {
    const special = /[\\`*_~\[\]!<\n]|https?:\/\//g;
    let at = 0;
    for (let match; (match = special.exec(this.text)); special.lastIndex = at) {
      if (match.index > at) this.push(this.text.slice(at, match.index));
      at = this.take(match.index, match[0]);
    }
    if (at < this.text.length) this.push(this.text.slice(at));
    return this.out;
  }

  /** Handles the special text at an offset and answers where to go on. */
  take(at, found) {
    switch (found) {
      case "\\": return this.escape(at);
      case "`": return this.code(at);
      case "*": case "_": case "~": return this.mark(at, found);
      case "[": this.open("[", at, 1); return at + 1;
      case "!":
        if (this.text[at + 1] !== "[") break;
        this.open("[", at, 2);
        return at + 2;
      case "]": return this.closeLink(at);
      case "<": return this.angle(at);
      case "\n": return this.newline(at);
      default: return this.bareAddress(at);
    }
    this.push(found);
    return at + found.length;
  }

  escape(at) {
    const next = this.text[at + 1] ?? "";
    if (next === "\n") this.push(make("br"));
    else this.push(punctuation.test(next) ? next : "\\" + next);
    return at + 1 + next.length;
  }

  newline(at) {
    this.push(this.text.endsWith("  ", at) && at > 1 && this.text.slice(at - 2, at) === "  " ? make("br") : "\n");
    return at + 1;
  }

  code(at) {
    this.runs ??= backtickRuns(this.text);
    let end = at;
    while (this.text[end] === "`") end += 1;
    const close = nextRun(this.runs, end - at, end);
    if (close < 0) {
      this.push(this.text.slice(at, end));
      return end;
    }
    let inner = this.text.slice(end, close).replaceAll("\n", " ");
    if (inner.length > 2 && inner.startsWith(" ") && inner.endsWith(" ")) inner = inner.slice(1, -1);
    this.push(make("code", {}, inner));
    return close + end - at;
  }

  open(kind, at, length) {
    if (this.openers.length < maxOpeners) this.openers.push({ kind, index: this.out.length });
    this.push(this.text.slice(at, at + length));
  }

  /** A run of *, _ or ~: closes the nearest opener of its kind, else opens one where a word follows. */
  mark(at, sign) {
    let end = at;
    while (this.text[end] === sign && end - at < 3) end += 1;
    const before = this.text[at - 1] ?? " ";
    const after = this.text[end] ?? " ";
    const inWord = sign === "_" && /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
    const kinds = { 1: [sign], 2: [sign + sign], 3: [sign + sign, sign] }[end - at];
    if (inWord || kinds.some((kind) => !marks[kind])) {
      this.push(this.text.slice(at, end));
      return end;
    }
    const closes = !/\s/.test(before);
    const opens = !/\s/.test(after);
    if (kinds.length === 2 && closes && this.lastOpener(kinds[1]) > this.lastOpener(kinds[0])) kinds.reverse();
    for (const kind of kinds) {
      if (closes && this.wrap(kind)) continue;
      if (opens) this.open(kind, at, kind.length);
      else this.push(kind);
    }
    return end;
  }

  lastOpener(kind) {
    return this.openers.findLastIndex((opener) => opener.kind === kind);
  }

  /** Takes everything after an opener off the output; null when it would nest too deep. */
  takeSince(index) {
    const depth = this.depths.slice(index + 1).reduce((most, value) => Math.max(most, value), 0) + 1;
    if (depth > maxDepth) return null;
    this.depths.length = index;
    return { depth, children: this.out.splice(index).slice(1) };
  }

  wrap(kind) {
    const place = this.lastOpener(kind);
    if (place < 0) return false;
    const { index } = this.openers[place];
    this.openers.length = place;
    const taken = index + 1 < this.out.length ? this.takeSince(index) : null;
    if (taken) this.push(make(marks[kind], {}, taken.children), taken.depth);
    return taken !== null;
  }

  closeLink(at) {
    const place = this.lastOpener("[");
    const target = place < 0 || this.text[at + 1] !== "(" ? null : this.target(at + 2);
    if (place >= 0) {
      const { index } = this.openers[place];
      const taken = target?.address ? this.takeSince(index) : null;
      if (taken) {
        // No link holds another, so what is still open stays text.
        this.openers = this.openers.slice(0, place).filter((opener) => opener.kind !== "[");
        this.push(link(target.address, taken.children.length ? taken.children : target.address), taken.depth);
        return target.end;
      }
      this.openers.splice(place, 1);
    }
    this.push("]");
    return at + 1;
  }

  /** Reads `address "title")`; the scan is bounded, so many unclosed links stay linear. */
  target(from) {
    let depth = 0;
    let quote = false;
    for (let at = from; at < this.text.length && at - from < maxAddress; at += 1) {
      const sign = this.text[at];
      if (sign === "\n") return null;
      if (sign === '"') quote = !quote;
      else if (sign === "(" && !quote) depth += 1;
      else if (sign === ")" && !quote && --depth < 0) {
        const word = this.text.slice(from, at).trim().split(/\s/, 1)[0].replace(/^<|>$/g, "");
        return { address: safeAddress(word), end: at + 1 };
      }
    }
    return null;
  }

  /** `<https://…>` becomes a link and `<br>` a line break; every other tag stays text. */
  angle(at) {
    const lineBreak = /^<br ?\/?>/i.exec(this.text.slice(at, at + 6));
    if (lineBreak) {
      this.push(make("br"));
      return at + lineBreak[0].length;
    }
    const end = this.text.slice(at + 1, at + maxAddress).search(/[\s<>]/);
    const inner = end > 0 && this.text[at + 1 + end] === ">" ? this.text.slice(at + 1, at + 1 + end) : "";
    const address = safeAddress(inner);
    this.push(address ? link(address, inner) : "<");
    return address ? at + 2 + end : at + 1;
  }

  bareAddress(at) {
    const word = /^[^\s<>"`|\\]*/.exec(this.text.slice(at, at + maxAddress))[0];
    let shown = word.replace(/[.,;:!?*_~'\]]+$/, "");
    if (shown.endsWith(")") && !shown.includes("(")) shown = shown.replace(/\).*$/, "");
    const address = /[\p{L}\p{N}]/u.test(this.text[at - 1] ?? " ") ? null : safeAddress(shown);
    const inLink = this.lastOpener("[") >= 0;
    this.push(address && !inLink ? link(address, shown) : shown);
    return at + shown.length;
  }
}

const inline = (text) => new Inline(text).nodes();

// ---- Markdown: blocks ----

const listItem = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const indentOf = (line) => line.length - line.trimStart().length;
const isBlank = (line) => line.trim() === "";
const isRule = (line) => /^([-*_])\1{2,}$/.test(line.replaceAll(" ", ""));
const isHeading = (line) => /^ {0,3}#{1,6}( |$)/.test(line);
const isQuote = (line) => /^ {0,3}>/.test(line);
const fenceOf = (line) => /^ *(`{3,}(?=[^`]*$)|~{3,})/.exec(line)?.[1] ?? null;
const startsBlock = (line) => isHeading(line) || isQuote(line) || fenceOf(line) !== null || isRule(line) || listItem.test(line);

/** Reads blocks from lines. Containers hand their own lines to a reader one deeper; at the limit the rest is a paragraph. */
class Blocks {
  constructor(lines, depth = 0) {
    this.lines = lines;
    this.depth = depth;
    this.at = 0;
  }

  /** All blocks as elements. */
  all() {
    const found = [];
    for (let block; (block = this.next()); ) found.push(block.element);
    return found;
  }

  /** The next block and the line it starts on, or null at the end. */
  next() {
    while (this.at < this.lines.length && isBlank(this.lines[this.at])) this.at += 1;
    if (this.at >= this.lines.length) return null;
    const start = this.at;
    return { start, element: this.block(this.lines[start]) };
  }

  block(line) {
    if (this.depth < maxDepth) {
      const fence = fenceOf(line);
      if (fence) return this.code(fence);
      if (isQuote(line)) return this.quote();
      if (isRule(line)) return (this.at += 1), make("hr");
      if (listItem.test(line)) return this.list();
    }
    if (isHeading(line)) return this.heading(line.trim());
    return this.alignments() ? this.table() : this.paragraph();
  }

  heading(line) {
    this.at += 1;
    const level = /^#+/.exec(line)[0].length;
    return make("h" + level, {}, inline(line.slice(level).trim().replace(/ #+$/, "")));
  }

  paragraph() {
    const start = this.at;
    do this.at += 1;
    while (this.at < this.lines.length && !isBlank(this.lines[this.at])
      && !(this.depth < maxDepth && startsBlock(this.lines[this.at])) && !this.alignments());
    const text = this.lines.slice(start, this.at).map((line) => line.trimStart()).join("\n");
    return make("p", {}, inline(text.trimEnd()));
  }

  code(fence) {
    const indent = indentOf(this.lines[this.at]);
    const language = this.lines[this.at].trim().slice(fence.length).trim().slice(0, 40);
    const body = [];
    for (this.at += 1; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      const closer = line.trim();
      if (closer.length >= fence.length && closer === fence[0].repeat(closer.length)) {
        this.at += 1;
        break;
      }
      body.push(line.slice(Math.min(indent, indentOf(line))));
    }
    return codeFigure(language, body.join("\n"));
  }

  quote() {
    const inner = [];
    for (; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      if (isQuote(line)) inner.push(line.replace(/^ {0,3}> ?/, ""));
      else if (!isBlank(line) && !startsBlock(line) && !isBlank(inner.at(-1))) inner.push(line);
      else break;
    }
    return make("blockquote", {}, new Blocks(inner, this.depth + 1).all());
  }

  list() {
    const [, , sign] = listItem.exec(this.lines[this.at]);
    const list = make(/\d/.test(sign) ? "ol" : "ul");
    if (list.tagName === "OL") list.start = parseInt(sign, 10);
    for (;;) {
      list.append(this.item());
      let next = this.at;
      while (next < this.lines.length && isBlank(this.lines[next])) next += 1;
      const match = listItem.exec(this.lines[next] ?? "");
      if (!match || match[2].at(-1) !== sign.at(-1) || isRule(this.lines[next])) return list;
      this.at = next;
    }
  }

  item() {
    const first = this.lines[this.at];
    const [marker, before, sign] = listItem.exec(first);
    const content = before.length + sign.length + 1;
    const inner = [first.slice(marker.length)];
    for (this.at += 1; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at];
      const indent = indentOf(line);
      const belongs = indent >= Math.min(content, before.length + 2);
      if (!isBlank(line) && !belongs && (startsBlock(line) || isBlank(inner.at(-1)))) break;
      inner.push(isBlank(line) ? "" : line.slice(Math.min(indent, content)));
    }
    const task = /^\[([ xX])\] /.exec(inner[0]);
    if (task) inner[0] = (task[1] === " " ? "☐ " : "☑ ") + inner[0].slice(4);
    const blocks = new Blocks(inner, this.depth + 1).all();
    const tight = blocks[0]?.tagName === "P" && !blocks.slice(1).some((block) => block.tagName === "P");
    if (tight) blocks[0] = [...blocks[0].childNodes];
    return make("li", { className: task ? "task" : "" }, blocks.flat());
  }

  /** The column alignments when a table starts on this line, else null. */
  alignments() {
    const line = this.lines[this.at];
    const rule = this.lines[this.at + 1];
    if (!rule || !line.includes("|") || !/^[ |:-]+$/.test(rule) || !/[|:]/.test(rule)) return null;
    const columns = cells(rule);
    if (columns.length !== cells(line).length || !columns.every((cell) => /^:?-+:?$/.test(cell))) return null;
    return columns.map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
  }

  table() {
    const alignments = this.alignments();
    const row = (tag) => make("tr", {}, ...cells(this.lines[this.at++]).slice(0, alignments.length)
      .map((cell, column) => make(tag, { className: alignments[column] }, inline(cell))));
    const head = make("thead", {}, row("th"));
    const body = make("tbody");
    for (this.at += 1; this.at < this.lines.length && this.lines[this.at].includes("|"); ) body.append(row("td"));
    const frame = make("div", { className: "table", tabIndex: 0 }, make("table", {}, head, body));
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Table");
    return frame;
  }
}

/** The trimmed cells of a table row; a bar after a backslash does not divide. */
function cells(line) {
  const row = line.trim().replace(/^\|/, "");
  const parts = row.split(/(?<!\\)\|/);
  if (parts.length > 1 && isBlank(parts.at(-1))) parts.pop();
  return parts.map((part) => part.trim().replaceAll("\\|", "|"));
}

function codeFigure(language, text) {
  const copy = make("button", { type: "button", textContent: "Copy" });
  const code = make("code", {}, text);
  copy.addEventListener("click", () => copyText(code.textContent, copy));
  const block = make("pre", { tabIndex: 0 }, code);
  block.setAttribute("aria-label", "Code");
  return make("figure", {}, make("figcaption", {}, make("span", {}, language || "text"), copy), block);
}

async function copyText(text, button) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copySelected(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

/** Copies where the page came over plain HTTP from another machine: browsers give it no clipboard object there. */
function copySelected(text) {
  const field = make("textarea", { value: text, className: "hidden" });
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("copying was refused");
}

/**
 * Markdown in an element that grows with its text. A block another complete line has ended cannot change any more,
 * so only the text from the last block's start is read again.
 */
class GrowingMarkdown {
  constructor(element) {
    this.element = element;
    this.settled = 0;
    this.kept = 0;
  }

  show(text) {
    const lines = text.slice(this.settled).replaceAll("\r", "").split("\n").map(expandTabs);
    const reader = new Blocks(lines);
    const fresh = [];
    const starts = [];
    for (let block; (block = reader.next()); ) {
      fresh.push(block.element);
      starts.push(block.start);
    }
    while (this.element.childNodes.length > this.kept) this.element.lastChild.remove();
    for (const block of fresh) this.element.append(block);
    // The unfinished last line may still turn into another kind of block, so the one before stays open too.
    let open = starts.length - 1;
    if (open > 0 && starts[open] === lines.length - 1) open -= 1;
    if (open > 0) {
      this.kept += open;
      this.settled = offsetOfLine(text, this.settled, starts[open]);
    }
  }
}

function expandTabs(line) {
  return line.includes("\t") ? line.replace(/^[ \t]+/, (space) => space.replaceAll("\t", "    ")) : line;
}

function offsetOfLine(text, from, count) {
  for (; count > 0; count -= 1) from = text.indexOf("\n", from) + 1;
  return from;
}

// ---- Server ----

/** A failure with a sentence for the reader. */
class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const keyName = "apus.key";
let askedKey = null;

/** Asks for the key once, however many requests were refused; answers whether there is a new one. */
function askKey() {
  askedKey ??= new Promise((resolve) => {
    const dialog = byId("key-dialog");
    byId("key").value = "";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      const key = byId("key").value.trim();
      byId("key").value = "";
      askedKey = null;
      const use = dialog.returnValue === "use" && key !== "";
      if (use) sessionStorage.setItem(keyName, key);
      resolve(use);
    }, { once: true });
    dialog.showModal();
  });
  return askedKey;
}

/** The response to a request; a refused key is asked for and the request repeated. */
async function request(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(keyName);
    const headers = { "Content-Type": "application/json", ...(key && { Authorization: "Bearer " + key }) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("The server cannot be reached. Is it still running?");
    }
    if (response.ok) return response;
    if (response.status === 401) {
      if (await askKey()) continue;
      throw new Failure("The server needs an API key.", 401);
    }
    throw new Failure(await errorText(response), response.status);
  }
}

async function errorText(response) {
  const text = await response.text().catch(() => "");
  try {
    return JSON.parse(text).error.message || "The server answered " + response.status + ".";
  } catch {
    return "The server answered " + response.status + " " + response.statusText + ".";
  }
}

/** The data of each server-sent event, joined as the HTML standard's event stream interpretation says. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.map((line) => line.replace(/\r$/, ""))) {
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line === "" && data.length) {
        yield data.join("\n");
        data = [];
      }
    }
  }
}

/** Streams one answer: `receive` gets each delta, the result holds usage and the reason for the end. */
async function complete(body, signal, receive) {
  const response = await request("/v1/chat/completions", { method: "POST", body: JSON.stringify(body), signal });
  const result = { usage: null, finish: null };
  const lost = "The connection was lost before the answer was complete. What arrived is kept.";
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") return result;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Failure(chunk.error.message || "The server stopped with an error.");
      if (chunk.usage) result.usage = chunk.usage;
      const choice = chunk.choices?.[0];
      if (choice?.finish_reason) result.finish = choice.finish_reason;
      if (choice?.delta) receive(choice.delta);
    }
  } catch (error) {
    if (error instanceof Failure || error.name === "AbortError") throw error;
    throw new Failure(error instanceof SyntaxError ? "The server sent something that is not JSON." : lost);
  }
  throw new Failure(lost);
}

// ---- Conversations ----

const chatPrefix = "apus.chat.";
const settingNames = ["system", "temperature", "top_p", "top_k", "min_p", "seed", "max_tokens"];

const store = {
  read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  },

  write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      showNotice("The browser's storage is full: delete or export a conversation.", false);
    }
  },

  /** Every stored conversation, the latest first. */
  chats() {
    return Object.keys(localStorage).filter((key) => key.startsWith(chatPrefix)).map(store.read)
      .filter((chat) => typeof chat?.id === "string" && chat.settings && Array.isArray(chat.messages)
        && chat.messages.every((message) => ["user", "assistant"].includes(message?.role) && typeof message.content === "string"))
      .sort((one, other) => other.updated - one.updated);
  },

  save(chat) {
    chat.updated = Date.now();
    store.write(chatPrefix + chat.id, chat);
  },
};

function newChat(settings) {
  return { id: Date.now().toString(36) + Math.random().toString(36).slice(2, 8), title: "", updated: 0, settings, messages: [] };
}

let chat = store.chats()[0] ?? newChat({});
/** The answer under way: its chat, message, view and abort controller; null while idle. */
let active = null;

/** What was said, with questions left unanswered joined: many chat templates refuse two turns of one role in a row. */
function turns() {
  const said = [];
  for (const { role, content } of chat.messages.filter((message) => message.content)) {
    if (said.at(-1)?.role === role) said.at(-1).content += "\n\n" + content;
    else said.push({ role, content });
  }
  return said;
}

function requestBody() {
  const { settings } = chat;
  const said = turns();
  const body = { model: byId("model").value, stream: true, stream_options: { include_usage: true } };
  body.messages = settings.system ? [{ role: "system", content: settings.system }, ...said] : said;
  for (const name of settingNames.slice(1)) if (Number.isFinite(settings[name])) body[name] = settings[name];
  return body;
}

// ---- View ----

function button(label, action, name = "") {
  const element = make("button", { type: "button", textContent: label, className: name });
  element.addEventListener("click", action);
  return element;
}

/** One message on the page; an answer's view also follows its text as it grows. */
class MessageView {
  constructor(message) {
    this.message = message;
    this.body = make("div", { className: "body" + (message.role === "user" ? "" : " text") });
    this.tools = make("div", { className: "tools" });
    this.element = make("article", { className: "message " + message.role }, this.body, this.tools);
    this.element.setAttribute("aria-label", message.role === "user" ? "You" : "Answer");
    if (message.role === "user") this.body.textContent = message.content;
    else this.markdown = new GrowingMarkdown(this.body);
    this.grow();
    this.finish();
  }

  grow() {
    if (!this.markdown) return;
    const { content, reasoning } = this.message;
    if (reasoning) this.showReasoning(reasoning, content !== "");
    if (content) this.markdown.show(content);
  }

  showReasoning(text, over) {
    if (!this.reasoning) {
      const body = make("div", { className: "body text" });
      this.summary = make("summary");
      this.reasoning = make("details", { className: "reasoning" }, this.summary, body);
      this.reasoningText = new GrowingMarkdown(body);
      this.body.before(this.reasoning);
    }
    this.summary.textContent = over || !this.isActive ? "Reasoning" : "Reasoning…";
    if (text.length !== this.reasoningLength) this.reasoningText.show(text);
    this.reasoningLength = text.length;
  }

  get isActive() {
    return active?.message === this.message;
  }

  /** Shows what can be done with the message now. */
  finish() {
    const { role, content, facts } = this.message;
    this.tools.replaceChildren();
    if (this.isActive) {
      if (!content) this.tools.append(make("span", { className: "waiting" }));
      return;
    }
    if (this.summary) this.summary.textContent = "Reasoning";
    if (content) {
      const copy = button("Copy", () => copyText(content, copy));
      this.tools.append(copy);
    }
    const isLast = chat.messages.findLast((message) => message.role === role) === this.message;
    if (isLast && role === "user") this.tools.append(button("Edit", () => this.edit()));
    if (isLast && role === "assistant") this.tools.append(button("Regenerate", regenerate));
    if (facts) this.tools.append(make("span", { className: "facts" }, facts));
  }

  edit() {
    if (active) return;
    const field = make("textarea", { value: this.message.content });
    field.setAttribute("aria-label", "Edit the message");
    const cancel = button("Cancel", drawChat);
    const form = make("form", {}, field, make("div", { className: "actions" }, cancel,
      make("button", { className: "primary", textContent: "Send" })));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      chat.messages.length = chat.messages.indexOf(this.message);
      send(text);
    });
    sendOnEnter(field, form);
    field.addEventListener("keydown", (event) => event.key === "Escape" && drawChat());
    this.element.replaceChildren(form);
    field.focus();
  }
}

let views = [];

function drawChat() {
  views = chat.messages.map((message) => (active?.message === message ? active.view : new MessageView(message)));
  byId("log").replaceChildren(...views.map((view) => view.element));
  byId("welcome").hidden = views.length > 0;
  byId("export").disabled = views.length === 0;
  document.title = chat.title ? chat.title + " · Apus" : "Apus";
  drawChats();
  drawActivity();
  toEnd();
}

function drawChats() {
  byId("chats").replaceChildren(...store.chats().map((other) => {
    const open = button(other.title || "Untitled", () => openChat(other), "open");
    const remove = button("Delete", () => (remove.classList.contains("sure") ? deleteChat(other) : askDelete(remove)), "delete");
    remove.setAttribute("aria-label", "Delete " + (other.title || "Untitled"));
    const row = make("li", { className: other.id === chat.id ? "current" : "" }, open, remove);
    if (other.id === chat.id) open.setAttribute("aria-current", "true");
    return row;
  }));
}

/** The first press only asks; the second, within three seconds, deletes. */
function askDelete(remove) {
  const label = remove.getAttribute("aria-label");
  remove.textContent = "Sure?";
  remove.classList.add("sure");
  remove.setAttribute("aria-label", label + ": press again to confirm");
  setTimeout(() => {
    remove.textContent = "Delete";
    remove.classList.remove("sure");
    remove.setAttribute("aria-label", label);
  }, 3000);
}

function drawActivity() {
  byId("send").hidden = active !== null;
  byId("stop").hidden = active === null;
}

function showNotice(text, canRetry) {
  const notice = byId("notice");
  notice.hidden = text === "";
  notice.firstElementChild.textContent = text;
  byId("retry").hidden = !canRetry;
}

const scroller = byId("scroll");
const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;

function toEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  byId("latest").hidden = true;
}

// ---- Actions ----

function openChat(other) {
  stop();
  chat = other;
  showNotice("", false);
  byId("status").textContent = "";
  showMenu(false);
  drawChat();
  byId("prompt").focus();
}

function deleteChat(other) {
  if (other.id === chat.id) stop();
  localStorage.removeItem(chatPrefix + other.id);
  if (other.id === chat.id) openChat(store.chats()[0] ?? newChat(chat.settings));
  else drawChats();
}

function exportChat() {
  const address = URL.createObjectURL(new Blob([JSON.stringify(chat, null, 2) + "\n"], { type: "application/json" }));
  const name = chat.title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40) || "conversation";
  make("a", { href: address, download: name + ".json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function send(text) {
  chat.messages.push({ role: "user", content: text });
  chat.title ||= text.replace(/\s+/g, " ").slice(0, 60);
  return answer();
}

function regenerate() {
  if (active) return;
  const replaced = [];
  while (chat.messages.at(-1)?.role === "assistant") replaced.unshift(chat.messages.pop());
  if (chat.messages.length) answer(replaced);
}

function stop() {
  active?.abort.abort();
}

/**
 * Runs one answer from request to end, drawing at most once per frame and resting longer when drawing is slow. An answer
 * that it replaces is back if nothing comes.
 */
async function answer(replaced = []) {
  const message = { role: "assistant", content: "", reasoning: "", facts: "" };
  const own = { chat, message, replaced, abort: new AbortController(), clock: new Clock() };
  const body = requestBody();
  showNotice("", false);
  chat.messages.push(message);
  active = own;
  own.view = new MessageView(message);
  if (!replaced.length) store.save(chat);
  drawChat();
  byId("status").textContent = "Waiting for the first token…";
  try {
    const result = await complete(body, own.abort.signal, (delta) => {
      message.content += delta.content ?? "";
      message.reasoning += delta.reasoning_content ?? "";
      if (delta.content || delta.reasoning_content) own.clock.tick();
      drawSoon(own);
    });
    message.facts = own.clock.facts(result);
  } catch (error) {
    const stopped = error.name === "AbortError";
    message.facts = own.clock.facts({ stopped });
    if (!stopped) own.problem = error.message;
    else if (own.clock.count === 0) own.problem = "Stopped before the first token.";
  }
  end(own);
}

function drawSoon(own) {
  if (own.planned) return;
  own.planned = true;
  const draw = () => {
    own.planned = false;
    if (active !== own) return;
    const begun = performance.now();
    const follow = atEnd();
    own.view.grow();
    if (own.message.content) own.view.tools.replaceChildren();
    byId("status").textContent = "";
    byId("rate").textContent = own.clock.live();
    if (follow) toEnd();
    else byId("latest").hidden = false;
    own.rest = 3 * (performance.now() - begun);
  };
  const wait = own.rest > 16 ? own.rest : 0;
  if (document.hidden || wait) setTimeout(draw, wait);
  else requestAnimationFrame(draw);
}

function end(own) {
  const { message } = own;
  const isEmpty = !message.content && !message.reasoning;
  if (isEmpty) own.chat.messages = own.chat.messages.filter((other) => other !== message).concat(own.replaced);
  const isStored = localStorage.getItem(chatPrefix + own.chat.id) !== null;
  if (isStored) store.save(own.chat);
  if (active === own) active = null;
  byId("status").textContent = byId("rate").textContent = "";
  drawActivity();
  if (chat !== own.chat) return drawChats();
  if (own.problem) showNotice(own.problem, true);
  const follow = atEnd();
  own.view.grow();
  if (isEmpty) drawChat();
  else views.forEach((view) => view.finish());
  drawChats();
  if (follow) toEnd();
  if (byId("notice").hidden) byId("status").textContent = "Answer complete";
}

/** Time to the first token and the rate after it. */
class Clock {
  constructor() {
    this.begun = performance.now();
    this.first = this.last = null;
    this.count = 0;
  }

  tick() {
    this.last = performance.now();
    this.first ??= this.last;
    this.count += 1;
  }

  rate(count) {
    const seconds = (this.last - this.first) / 1000;
    return count > 1 && seconds > 0 ? ((count - 1) / seconds).toFixed(1) + " tokens/s" : null;
  }

  get firstToken() {
    return this.first === null ? null : "first token " + ((this.first - this.begun) / 1000).toFixed(2) + " s";
  }

  live() {
    return [this.rate(this.count), this.firstToken].filter(Boolean).join(" · ");
  }

  /** One line under the answer; the server's own counts where it sent them. */
  facts({ usage, finish, stopped }) {
    const count = usage?.completion_tokens ?? this.count;
    const cached = usage?.prompt_tokens_details?.cached_tokens;
    const prompt = usage && "prompt " + usage.prompt_tokens + (cached ? " (" + cached + " cached)" : "");
    const ending = stopped ? "stopped" : finish === "length" && "reached the token limit";
    return [count + (count === 1 ? " token" : " tokens"), this.rate(count), this.firstToken, prompt, ending].filter(Boolean).join(" · ");
  }
}

async function loadModels() {
  try {
    const { data } = await (await request("/v1/models")).json();
    const wanted = localStorage.getItem("apus.model");
    byId("model").replaceChildren(...data.map(({ id }) => make("option", { value: id, textContent: id, selected: id === wanted })));
  } catch (error) {
    showNotice(error instanceof Failure ? error.message : "The server's list of models cannot be read.", true);
  }
}

/** Repeats what failed: the list of models, and the last message if it is still without an answer. */
async function retry() {
  showNotice("", false);
  if (!byId("model").value) await loadModels();
  if (byId("notice").hidden && chat.messages.length) regenerate();
}

// ---- Settings, theme, keys ----

function showSettings() {
  for (const name of settingNames) byId("settings").querySelector("form").elements[name].value = chat.settings[name] ?? "";
  byId("settings").showModal();
}

function takeSettings() {
  const { elements } = byId("settings").querySelector("form");
  const entries = settingNames.map((name) => [name, name === "system" ? elements[name].value.trim() : elements[name].valueAsNumber]);
  chat.settings = Object.fromEntries(entries.filter(([, value]) => value !== "" && !Number.isNaN(value)));
  if (chat.messages.length) store.save(chat);
}

const themes = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").title = "Theme: " + theme;
  byId("theme").setAttribute("aria-label", "Theme: " + theme);
  localStorage.setItem("apus.theme", theme);
}

function showMenu(shown) {
  byId("sidebar").classList.toggle("shown", shown);
  byId("menu").setAttribute("aria-expanded", String(shown));
  byId("shade").hidden = !shown;
  if (shown) byId("new-chat").focus();
}

function sendOnEnter(field, form) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

function listen() {
  const prompt = byId("prompt");
  sendOnEnter(prompt, byId("composer"));
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = prompt.value.trim();
    if (!text || active) return;
    prompt.value = "";
    send(text);
  });
  const clicks = {
    stop, retry, "latest": toEnd, "export": exportChat, "open-settings": showSettings,
    "new-chat": () => openChat(newChat({ ...chat.settings })),
    "key-cancel": () => byId("key-dialog").close(),
    "menu": () => showMenu(true),
    "shade": () => showMenu(false),
    "theme": () => setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % 3]),
    "reset-settings": () => byId("settings").querySelectorAll("input, textarea").forEach((field) => (field.value = "")),
  };
  for (const [id, action] of Object.entries(clicks)) byId(id).addEventListener("click", action);
  byId("settings").addEventListener("close", takeSettings);
  byId("model").addEventListener("change", () => localStorage.setItem("apus.model", byId("model").value));
  scroller.addEventListener("scroll", () => (byId("latest").hidden = atEnd()), { passive: true });
  window.addEventListener("storage", drawChats);
  window.addEventListener("pagehide", () => active && store.save(active.chat));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    stop();
    showMenu(false);
  });
}

const savedTheme = localStorage.getItem("apus.theme");
setTheme(themes.includes(savedTheme) ? savedTheme : "auto");
listen();
drawChat();
byId("prompt").focus();
loadModels();
