"use strict";

const byId = (id) => document.getElementById(id);
const kRoom = /^[a-z0-9-]{1,32}$/;
const kOldest = 500;  // So many stay on the page.
const kAgainMs = 2000;
// Until the next stream: a host that stops closes a connection that is idle for a quarter second.
const kNextMs = 400;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What the browser lets nobody keep is forgotten.
function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

let room = "";
let source = null;
let again = 0;
let last = 0;  // The number of the last message that was shown.

function show(message) {
  const all = byId("messages"), scroll = all.parentElement;
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const mine = message.name === byId("name").value.trim();
  const before = all.lastElementChild;
  const more = before?.dataset.name === message.name && message.at - before.dataset.at < 120_000;
  const when = new Date(message.at);
  const shown = element("li", { className: (mine ? "mine" : "") + (more ? " more" : "") },
    element("div", { className: "who" },
      element("b", { textContent: message.name, dir: "auto" }),
      element("time", { dateTime: when.toISOString(), title: when.toLocaleString(),
        textContent: when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) })),
    element("p", { textContent: message.text, dir: "auto" }));
  Object.assign(shown.dataset, { name: message.name, at: message.at });
  all.append(shown);
  if (all.childElementCount > kOldest) all.firstElementChild.remove();
  byId("empty").hidden = true;
  if (atEnd || mine) scroll.scrollTop = scroll.scrollHeight;
}

function state(live, text) {
  byId("state").textContent = text;
  byId("state").className = live ? "live" : "";
}

function clear() {
  last = 0;
  byId("messages").replaceChildren();
  byId("empty").hidden = false;
}

// A stream says when it ends as it has to, and the next one goes on. Where one breaks the browser
// comes back by itself, and gives up where it is refused.
function listen() {
  clearTimeout(again);
  source?.close();
  source = new EventSource(`rooms/${room}/events?after=${last}`);
  source.onopen = () => state(true, "Live");
  source.onmessage = (event) => {
    const number = Number(event.lastEventId);
    if (number <= last) return;
    last = number;
    show(JSON.parse(event.data));
  };
  source.addEventListener("reset", clear);
  source.addEventListener("end", () => {
    source.close();
    again = setTimeout(listen, kNextMs);
  });
  source.onerror = () => {
    state(false, "Reconnecting");
    if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, kAgainMs);
  };
}

function enter() {
  const wanted = location.hash.slice(1).toLowerCase();
  room = kRoom.test(wanted) ? wanted : "lobby";
  byId("room").textContent = room;
  document.title = `#${room} - Chat`;
  state(false, "Connecting");
  clear();
  listen();
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

// What was not answered keeps its id: sent again, it is said once.
let draft = { id: newId(), text: "", room: "" };

async function send() {
  const name = byId("name").value.trim(), text = byId("text").value.trim();
  if (name === "" || text === "") return;
  if (draft.text !== text || draft.room !== room) draft = { id: newId(), text, room };
  byId("problem").textContent = "";
  remembered("chat-name", name);
  byId("say").querySelector("button").disabled = true;
  try {
    const body = new URLSearchParams({ id: draft.id, name, text });
    const response = await fetch(`rooms/${room}/messages`, { method: "POST", body });
    if (!response.ok) throw new Error((await response.json()).error);
    if (byId("text").value.trim() === text) byId("text").value = "";
    draft = { id: newId(), text: "", room: "" };
    grow();
  } catch (error) {
    const away = error instanceof TypeError;
    byId("problem").textContent = "Not sent: " + (away ? "the server cannot be reached" : error.message);
  } finally {
    byId("say").querySelector("button").disabled = false;
  }
}

// As many lines as there are.
function grow() {
  const text = byId("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

byId("name").value = remembered("chat-name");
byId("text").oninput = grow;
byId("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("say").requestSubmit();
};
byId("say").onsubmit = (event) => {
  event.preventDefault();
  send();
};
byId("go").onsubmit = (event) => {
  event.preventDefault();
  location.hash = byId("other").value;
  byId("go").reset();
};
addEventListener("hashchange", enter);
enter();
