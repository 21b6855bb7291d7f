"use strict";
// The table of utterances: searched, filtered, sorted; rows are made when they come into sight.

const AT_A_TIME = 60;
const KINDS = { "": "all utterances", right: "without errors", wrong: "with errors", S: "with substitutions", D: "with deletions", I: "with insertions", failed: "not transcribed" };
const COLUMNS = [
  ["utterance", (row) => row.id, "name"],
  ["speaker", (row) => row.speaker ?? "", "name"],
  ["seconds", (row) => row.seconds, "number", (value) => value.toFixed(1)],
  ["words", (row) => row.words, "number"],
  ["errors", (row) => row.errors, "number"],
  ["WER %", (row) => row.rate, "number", (value) => (100 * value).toFixed(0)],
  ["confidence", (row) => row.confidence ?? null, "number", (value) => (value === null ? "" : value.toFixed(2))],
];

function hasKind(row, kind) {
  const [substitutions, deletions, insertions] = row.counts;
  return { "": true, right: !row.errors, wrong: row.errors > 0, S: substitutions > 0, D: deletions > 0, I: insertions > 0, failed: "failure" in row }[kind];
}

function compare(one, other) {
  if (typeof one === "string") return one.localeCompare(other, undefined, { numeric: true });
  return (one ?? -1) - (other ?? -1);
}

// Of an error that was clicked: null for no word.
function hasPair(row, pair) {
  return !pair || row.tokens.some((token) => typeof token !== "string" && token[0] === pair[0] && token[1] === pair[1]);
}

function differences(tokens) {
  return tokens.flatMap((token) => {
    if (typeof token === "string") return [token, " "];
    const [said, heard] = token;
    return [...(said === null ? [] : [make("del", {}, said), " "]), ...(heard === null ? [] : [make("ins", {}, heard), " "])];
  });
}

function utterances(host, rows) {
  rows.forEach((row, number) => {
    row.number = number;
    row.errors = row.counts.reduce((sum, one) => sum + one, 0);
    row.rate = row.errors / Math.max(row.words, 1);
    row.text = [row.id, row.speaker, row.tokens.map(saidOf).join(" "), row.tokens.map(heardOf).join(" ")].join("\n").toLowerCase();
  });
  const state = { key: null, direction: 1, pair: null };
  let shown = rows, made = 0;

  const search = make("input", { type: "search", placeholder: "Search words and names", "aria-label": "Search words and names" });
  const speakers = [...new Set(rows.map((row) => row.speaker).filter((one) => one !== undefined))].sort(compare);
  const speaker = make("select", { "aria-label": "Speaker", hidden: !speakers.length },
    make("option", { value: "" }, "all speakers"), ...speakers.map((one) => make("option", { value: `=${one}` }, one)));
  const kind = make("select", { "aria-label": "Errors" }, ...Object.entries(KINDS).map(([value, text]) => make("option", { value }, text)));
  const chip = make("button", { type: "button", className: "chip", hidden: true });
  const count = make("small", { role: "status" });
  const headers = COLUMNS.map(([name, , className], place) => make("th", { className, "aria-sort": "none" }, make("button", { type: "button", onclick: () => sortBy(place) }, name)));
  const body = make("tbody");
  const end = make("div");
  host.append(make("div", { className: "filters" }, search, speaker, kind, chip, count),
    make("table", {}, make("thead", {}, make("tr", {}, ...headers, make("th", {}, "said and heard"))), body), end);

  const observer = new IntersectionObserver((entries) => {
    if (entries.at(-1).isIntersecting && made < shown.length) extend();
  }, { rootMargin: "800px" });

  function update() {
    const wanted = search.value.toLowerCase().split(/\s+/);
    shown = rows.filter((row) => wanted.every((word) => row.text.includes(word)) && hasKind(row, kind.value)
      && (!speaker.value || `=${row.speaker}` === speaker.value) && hasPair(row, state.pair));
    if (state.key !== null) {
      const value = COLUMNS[state.key][1];
      shown.sort((one, other) => state.direction * compare(value(one), value(other)));
    }
    count.textContent = `${shown.length} of ${rows.length}`;
    chip.hidden = !state.pair;
    chip.textContent = state.pair ? `${state.pair[0] ?? "∅"} → ${state.pair[1] ?? "∅"}  ✕` : "";
    body.replaceChildren();
    made = 0;
    extend();
  }
  function extend() {
    body.append(...shown.slice(made, made + AT_A_TIME).map(lineOf));
    made = Math.min(made + AT_A_TIME, shown.length);
    observer.unobserve(end); // it tells of a change alone; seen anew, it tells where the end is now
    observer.observe(end);
  }
  // First down, for names up: whoever sorts by errors wants the most.
  function sortBy(place) {
    const first = place < 2 ? 1 : -1;
    state.direction = state.key === place ? -state.direction : first;
    state.key = place;
    headers.forEach((header, other) => header.setAttribute("aria-sort",
      other !== place ? "none" : state.direction > 0 ? "ascending" : "descending"));
    update();
  }

  search.oninput = speaker.onchange = kind.onchange = update;
  chip.onclick = () => { state.pair = null; update(); };
  document.querySelectorAll("button[data-said]").forEach((button) => {
    button.onclick = () => {
      state.pair = [button.dataset.said || null, button.dataset.heard || null];
      update();
      host.scrollIntoView();
    };
  });
  update();
}

function lineOf(row) {
  const open = make("button", { type: "button", "aria-expanded": "false" }, row.id);
  const cells = COLUMNS.map(([name, value, className, shown = String], place) =>
    make("td", { className, "data-label": name }, place ? shown(value(row)) : open));
  const line = make("tr", { className: "row" }, ...cells, make("td", { className: "text" }, make("span", {}, ...differences(row.tokens))));
  let details = null;
  line.onclick = (event) => {
    if (!open.contains(event.target) && String(getSelection())) return; // somebody copies text
    details?.remove();
    playing?.pause();
    details = details ? null : make("tr", { className: "details" }, make("td", { colSpan: COLUMNS.length + 1 }, ...detailsOf(row)));
    if (details) line.after(details);
    line.classList.toggle("open", details !== null);
    open.setAttribute("aria-expanded", String(details !== null));
  };
  return line;
}

// Tables that are in the page already.
function makeSortable(table) {
  const headers = [...table.querySelectorAll("th")];
  headers.forEach((header, place) => {
    const button = header.querySelector("button");
    if (!button) return;
    button.onclick = () => {
      const up = header.getAttribute("aria-sort") === "descending" || (header.getAttribute("aria-sort") === "none" && !place);
      headers.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (line) => (place ? +line.cells[place].textContent : line.cells[place].textContent);
      const lines = [...table.tBodies[0].rows].sort((one, other) => (up ? 1 : -1) * compare(value(one), value(other)));
      table.tBodies[0].append(...lines);
    };
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
const list = document.getElementById("utterances");
if (list) utterances(list, read("rows"));
const recording = document.getElementById("recording");
if (recording) recording.append(...detailsOf({ ...read("rows")[0], number: 0 }));
