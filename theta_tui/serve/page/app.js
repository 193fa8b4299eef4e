// The page of a visitor: sends commands of the protocol over a WebSocket and draws the snapshots that come back. Text of
// people and models goes into text nodes only.

const $ = (id) => document.getElementById(id);
const make = (tag, text = "", kind = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

// Characters that are not seen, or that change the direction of text, are shown as symbols.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const visible = (text) => text.replace(HIDDEN, (sign) => `␣${sign.codePointAt(0).toString(16)}`);
const percent = (p) => (p >= 0.995 ? (100 * p).toFixed(1) : p >= 0.01 ? Math.round(100 * p) : "<1") + " %";

let socket = null;
let wait = 500;
let shot = {};
let fixing = 0;

// --- coming in ---

async function comeIn() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || $("token").value;
  history.replaceState(null, "", location.pathname);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    answer = await fetch("login", { method: "POST", headers });
  } catch {
    return ask("The server cannot be reached.");
  }
  if (!answer.ok) return ask("Use the link, or the token, that the owner's terminal shows.");
  if (!localStorage.getItem("name")) return ask("", true);
  connect();
}

function ask(why, known = false) {
  $("enter").hidden = false;
  $("token").parentElement.hidden = known;
  $("why").textContent = why;
  $("name").value = localStorage.getItem("name") || "";
  $(known ? "name" : "token").focus();
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name) return;
  localStorage.setItem("name", name);
  $("enter").hidden = true;
  comeIn();
});

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/live`);
  socket.addEventListener("open", () => {
    wait = 500;
    socket.send(JSON.stringify({ name: localStorage.getItem("name") }));
    document.querySelector("main").hidden = false;
    $("link").textContent = "";
  });
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    if (event.code === 4401) return ask("The token has changed.");
    $("link").textContent = "not connected, trying again …";
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 15000);
  });
}

function send(name, fields = {}) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ do: name, with: fields }));
}

// --- what comes from the engine ---

function hear(said) {
  if (said.event === "Here") {
    $("here").textContent = `here: ${said.names.map(visible).join(", ")}`;
    return;
  }
  shot = said.snapshot;
  if (said.event === "Streaming" && said.own) return drawDrafts(said);
  if (said.event === "Taught") taught(said);
  if (said.event === "TakenBack") {
    tell(`${BACK[said.deed]}: ${visible(said.prompt)} → ${visible(said.reply)}`, true);
  }
  if (said.event === "Heard") heard(said);
  if (said.event === "Learning" && said.own) {
    $("learned").textContent = `Learning, step ${said.steps}: says it ${percent(said.p_before)} → ${percent(said.p_now)}`;
  }
  if (said.event === "Failed" && (said.own || said.fatal)) bad(said.message);
  if (said.event === "Notice" && said.own) $("learned").append(make("div", visible(said.text), "how"));
  if (said.event === "Ledger" && said.own) return drawLedger(said.rows, said.proposals);
  draw();
}

const BACK = { undo: "Undone", redo: "Brought back", withdraw: "Taken out" };

function taught(said) {
  const { outcome } = said;
  if (!outcome.lesson) return tell(`Proposed: ${visible(outcome.prompt)} → ${visible(outcome.reply)}; it waits for the owner.`, true);
  if (outcome.skipped) return bad(`Nothing was learned: ${outcome.skipped}`);
  tell(proof("Learned", outcome), true);
}

function proof(what, { prompt, reply, p_before, p_after }) {
  const line = make("span");
  line.append(
    `${what}: ${visible(prompt)} → ${visible(reply)} · says it `,
    make("strong", `${percent(p_before)} → ${percent(p_after)}`),
  );
  return line;
}

// What somebody else did. A lesson of one's own is there too: accepted, or taken out, by the owner.
function heard(said) {
  const by = visible(said.by || "The owner");
  const mine = said.who === shot.who;
  const lesson = `${visible(said.prompt)} → ${visible(said.reply)}`;
  if (said.deed === "teach") return tell(proof(mine ? `${by} accepted` : `${visible(said.who || "The owner")} taught`, said), false);
  if (said.deed === "propose") return tell(`${by} proposed: ${lesson}`, false);
  tell(`${by}: ${BACK[said.deed].toLowerCase()}: ${lesson}`, false);
}

function tell(what, own) {
  if (own) return $("learned").replaceChildren(what);
  const item = make("li");
  item.append(what);
  $("news").prepend(item);
  while ($("news").children.length > 8) $("news").lastChild.remove();
}

function bad(text) {
  $("learned").replaceChildren(make("span", visible(text), "bad"));
}

// --- drawing ---

// Draws again only where a value has changed: what a person reads, selects or writes in stays as it is.
const drawn = {};
function fill(id, value, items) {
  const key = JSON.stringify(value);
  if (drawn[id] === key) return false;
  drawn[id] = key;
  keepingFocus(() => $(id).replaceChildren(...items()));
  return true;
}

// A keyboard is where it was after `change`. If that control has gone it is in the one that stands for it, or else in
// the message. A finger has no such place, and would be shown a keyboard.
const INSTEAD = { undo: "redo", redo: "undo" };
function keepingFocus(change) {
  const at = document.querySelector(":focus-visible");
  change();
  if (!at || $("lessons").open || usable(at)) return;
  const next = [$(at.id), $(INSTEAD[at.id]), $("text")].find((one) => one && usable(one));
  if (next) next.focus({ preventScroll: true });
}

function usable(control) {
  return control.isConnected && !control.disabled && !control.closest("[hidden]");
}

function draw() {
  $("model").textContent = `${shot.model} · ${(shot.parameters / 1e6).toFixed(0)}M`;
  if (shot.phase === "loading") $("link").textContent = shot.activity;
  const waiting = shot.pending;
  if (fill("turns", [shot.turns, waiting && waiting.prompt], drawTurns)) $("talk").scrollTop = $("talk").scrollHeight;
  if (waiting) fill("replies", [waiting, fixing], () => waiting.candidates.map((reply) => drawReply(reply, waiting)));
  const fact = waiting && waiting.statement;
  if (fact) $("fact").textContent = `Learn: ${visible(fact.prompt)} → ${visible(fact.reply)}`;
  keepingFocus(() => {
    $("five").hidden = !waiting;
    $("fact").hidden = !fact;
    $("undo").disabled = !shot.undo;
    $("redo").hidden = !shot.redo;
  });
  const { tally } = shot;
  const waits = shot.proposals ? ` · ${shot.proposals} of yours wait for the owner` : "";
  $("tally").textContent = `${shot.lessons} lessons · kept ${tally.kept} of ${tally.live}${waits}`;
  drawLosses(shot.losses);
  drawSend();
}

function drawTurns() {
  const turns = shot.turns.map((turn) => {
    const item = make("li");
    item.append(make("div", visible(turn.prompt), "you"));
    item.append(make("div", visible(turn.reply), turn.kind === "said" ? "reply said" : "reply"));
    if (turn.outcome && !turn.outcome.skipped) {
      item.append(make("div", `taught · says it ${percent(turn.outcome.p_before)} → ${percent(turn.outcome.p_after)}`, "how"));
    } else if (turn.kind === "said") {
      item.append(make("div", "said, not taught", "how"));
    }
    return item;
  });
  if (shot.pending) {
    const item = make("li");
    item.append(make("div", visible(shot.pending.prompt), "you"));
    turns.push(item);
  }
  return turns;
}

function drawReply(reply, waiting) {
  const item = make("li");
  if (fixing === reply.index) return fix(item, reply, waiting);
  const pick = make("button", "", "pick");
  pick.type = "button";
  pick.id = `pick-${reply.index}`;
  pick.append(make("b", String(reply.index)), visible(reply.text), make("span", percent(Math.exp(reply.logprob)), "share"));
  if (reply.lesson) pick.append(make("span", "from a lesson", "share"));
  pick.addEventListener("click", () => send("Pick", { prompt_id: waiting.prompt_id, index: reply.index }));
  const pencil = make("button", "✎");
  pencil.type = "button";
  pencil.id = `fix-${reply.index}`;
  pencil.setAttribute("aria-label", `Fix reply ${reply.index}`);
  pencil.addEventListener("click", () => {
    fixing = reply.index;
    draw();
    $("better").focus();
  });
  item.append(pick, pencil);
  return item;
}

function fix(item, reply, waiting) {
  const field = make("textarea", reply.text);
  field.id = "better";
  field.setAttribute("aria-label", "The better reply");
  const done = make("button", "Teach");
  done.type = "button";
  const teach = () => {
    fixing = 0;
    send("Correct", { text: field.value, prompt_id: waiting.prompt_id, edited: reply.index });
  };
  const leave = () => {
    fixing = 0;
    draw();
    $(`fix-${reply.index}`).focus();
  };
  done.addEventListener("click", teach);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      teach();
    }
    if (event.key === "Escape") leave();
  });
  item.append(field, done);
  return item;
}

function drawDrafts(said) {
  keepingFocus(() => {
    $("five").hidden = false;
    $("fact").hidden = true;
  });
  fill("replies", said.drafts, () => said.drafts.map((draft) => {
    const item = make("li");
    const shown = make("button", "", "pick");
    shown.type = "button";
    shown.disabled = true;
    shown.append(make("b", String(draft.index)), visible(draft.text) + (draft.done ? "" : " …"));
    item.append(shown);
    return item;
  }));
}

function drawLosses(losses) {
  const shown = losses.slice(-60);
  const most = Math.max(0.1, ...shown);
  const points = shown.map((loss, at) => `${(240 * at) / Math.max(1, shown.length - 1)},${38 - (36 * loss) / most}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  for (const [name, value] of Object.entries({ points: points.join(" "), fill: "none", stroke: "currentColor", "stroke-width": "2" })) {
    line.setAttribute(name, value);
  }
  $("spark").replaceChildren(line);
  const last = shown.at(-1);
  $("spark").setAttribute("aria-label", last === undefined ? "no loss yet" : `loss now ${last.toFixed(2)}, highest ${most.toFixed(2)}`);
}

function drawLedger(rows, proposals) {
  $("rows").replaceChildren(...proposals.toReversed().concat(rows.toReversed()).map((row) => {
    const line = make("tr");
    const says = (p) => (p === null ? "?" : percent(p));
    line.append(
      make("td", row.state === "proposed" ? "" : String(row.number)), make("td", row.state), make("td", visible(row.who || "the owner")),
      make("td", `${says(row.p_before)} → ${says(row.p_now ?? row.p_then)}`),
      make("td", `${visible(row.prompt)} → ${visible(row.reply)}`),
    );
    return line;
  }));
  $("lessons").showModal();
}

// --- what a visitor does ---

function drawSend() {
  const teaching = $("teach").checked && shot.pending;
  $("send").textContent = teaching ? "Teach" : "Say";
  $("text").placeholder = teaching ? "The reply that you would have liked" : "Say something";
}

function submit() {
  const text = $("text").value;
  if (!text.trim()) return;
  const waiting = shot.pending;
  if ($("teach").checked && waiting) {
    send("Correct", { text, prompt_id: waiting.prompt_id });
    $("teach").checked = false;
  } else {
    if (waiting) send("Say", { prompt_id: waiting.prompt_id });
    send("Propose", { prompt: text });
  }
  $("text").value = "";
  fixing = 0;
}

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
$("teach").addEventListener("change", drawSend);
$("others").addEventListener("click", () => shot.pending && send("Regenerate", { prompt_id: shot.pending.prompt_id }));
$("none").addEventListener("click", () => shot.pending && send("PassOver", { prompt_id: shot.pending.prompt_id }));
$("fact").addEventListener("click", () => {
  const { prompt_id, statement } = shot.pending;
  send("TeachFact", { prompt_id, prompt: statement.prompt, reply: statement.reply });
});
$("undo").addEventListener("click", () => send("TakeBack", { deed: "undo" }));
$("redo").addEventListener("click", () => send("TakeBack", { deed: "redo" }));
$("ledger").addEventListener("click", () => send("ShowLessons"));
$("fresh").addEventListener("click", () => send("NewConversation"));

comeIn();
