"use strict";

const byId = (id) => document.getElementById(id);

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function ask(path, options = {}) {
  const key = byId("key").value;
  const headers = key === "" ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`api/${path}`, { ...options, headers });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// Does it, and says what went wrong.
async function attempt(work) {
  try {
    byId("message").textContent = "";
    await work();
  } catch (error) {
    byId("message").textContent = error.message;
  }
}

function article(note, pictured) {
  const shown = element("article", {}, element("p", { textContent: note.text }));
  if (pictured) shown.append(element("img", { src: `api/notes/${note.id}/picture`, alt: "" }));
  const remove = element("button", { type: "button", textContent: "Remove" });
  remove.onclick = () => attempt(async () => {
    await ask(`notes/${note.id}`, { method: "DELETE" });
    await show();
  });
  const when = new Date(note.created * 1000).toLocaleString();
  const reads = element("span", { textContent: count(note.reads) });
  shown.querySelector("p").onclick = () => attempt(async () => {
    reads.textContent = count((await ask(`notes/${note.id}`)).reads);
  });
  shown.append(element("footer", {}, element("span", { textContent: when }), reads, remove));
  return shown;
}

function count(reads) {
  return reads === 1 ? "read once" : `read ${reads} times`;
}

let shows = 0;
async function show() {
  const turn = ++shows;
  const [found, pictures] = await Promise.all([
    ask(`notes?q=${encodeURIComponent(byId("search").value)}`), ask("pictures")]);
  if (turn !== shows) return;  // A later search is under way.
  document.title = byId("title").textContent = found.title;
  const pictured = new Set(pictures);
  byId("notes").replaceChildren(...found.notes.map((each) => article(each, pictured.has(each.id))));
}

byId("new").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const note = await ask("notes", { method: "POST", body: byId("text").value });
    const picture = byId("picture").files[0];
    if (picture) await ask(`notes/${note.id}/picture`, { method: "PUT", body: picture });
    byId("new").reset();
    await show();
  });
};
let typing = 0;
byId("search").oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(() => attempt(show), 200);
};
attempt(show);
