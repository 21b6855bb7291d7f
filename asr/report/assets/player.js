"use strict";
// One utterance to see and hear: its strips, its words under them, and a cursor that moves as it plays.

const PIXELS_A_SECOND = 140;
const MOST_WIDTH = 30000;
let playing = null; // one sound at a time

// An element; strings among its children become text, never HTML.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function read(id) {
  const element = document.getElementById(id);
  return element && JSON.parse(element.textContent);
}

function saidOf(token) {
  return typeof token === "string" ? token : token[0];
}

function heardOf(token) {
  return typeof token === "string" ? token : token[1];
}

// What is to be seen of one utterance, whose picture is an element of the page, if it has one.
function detailsOf(row) {
  const picture = read(`picture-${row.number}`);
  return [
    ...(row.failure ? [make("p", {}, row.failure)] : []),
    ...(row.words === undefined ? [] : [pairsOf(row.tokens)]),
    playerOf(row, picture),
    ...(row.greedy === undefined ? [] : [factsOf("What greedy decoding hears", [row.greedy || "nothing"])]),
    ...(row.alternatives ? [factsOf("The n-best list", row.alternatives)] : []),
  ];
}

function factsOf(name, lines) {
  return make("details", { className: "facts" }, make("summary", {}, name), ...lines.map((line) => make("p", {}, line)));
}

function pairsOf(tokens) {
  const pair = (said, heard) => make("span", {}, make(said === heard ? "span" : "del", {}, said ?? "∅"),
    make(said === heard ? "span" : "ins", {}, heard ?? "∅"));
  const key = make("span", { className: "key" }, make("span", {}, "said"), make("span", {}, "heard"));
  return make("div", { className: "pairs" }, key, ...tokens.map((token) => pair(saidOf(token), heardOf(token))));
}

function playerOf(row, picture) {
  const sound = picture?.audio || row.audio;
  const strips = picture ? picture.strips : [];
  const seconds = Math.max(strips[0]?.seconds || row.seconds, 0.01);
  const cursor = make("div", { className: "cursor", hidden: true });
  const lane = make("div", { className: "strips" });
  const viewport = make("div", { className: "viewport" }, lane);
  const slider = make("input", { type: "range", min: 0, max: seconds, step: 0.01, value: 0, "aria-label": "Time in the recording" });
  const clock = make("output");
  const play = make("button", { type: "button", className: "play" }, "Play");
  const status = make("small");
  const controls = make("div", { className: "controls" }, ...(sound ? [play] : []), slider, clock, status);
  let scale = 1;

  function show(position) {
    cursor.hidden = false;
    cursor.style.left = `${position * scale}px`;
    slider.value = position;
    clock.textContent = `${position.toFixed(1)} / ${seconds.toFixed(1)} s`;
    const right = viewport.scrollLeft + viewport.clientWidth;
    if (position * scale > right - 20 || position * scale < viewport.scrollLeft) viewport.scrollLeft = position * scale - 40;
  }

  const audio = sound && soundOf(sound, seconds, show, (isPlaying) => { play.textContent = isPlaying ? "Pause" : "Play"; },
    () => { status.textContent = `${row.path || row.id}: this browser cannot play it; --embed-audio puts it into the page.`; });
  const seek = (position) => { audio?.seek(position); show(position); };
  play.onclick = () => audio.toggle();
  slider.oninput = () => seek(+slider.value);
  lane.onclick = (event) => seek(Math.min(seconds, Math.max(0, event.clientX - lane.getBoundingClientRect().left) / scale));
  if (!sound) status.textContent = row.path ? "No sound that a browser plays; --embed-audio puts it into the page." : "";
  const jump = (position) => { seek(position); audio?.play(); };

  function draw() {
    const width = Math.round(Math.min(MOST_WIDTH, Math.max(viewport.clientWidth - 2, seconds * PIXELS_A_SECOND)));
    scale = width / seconds;
    lane.style.width = `${width}px`;
    const said = picture?.said.length ? [wordsOf("said", row, picture.said, scale, jump)] : [];
    const heard = row.heard.length ? [wordsOf("heard", row, row.heard, scale, jump)] : [];
    lane.replaceChildren(...strips.map((strip) => stripOf(strip, scale, width)), ...said.flat(), ...heard.flat(),
      drawStrip({ kind: "axis", seconds }, scale, width), cursor);
    show(+slider.value);
  }

  // Also when it is first shown, and when the window gets another size.
  new ResizeObserver(draw).observe(viewport);
  return make("div", { className: "player" }, controls, viewport);
}

function stripOf(strip, scale, width) {
  const height = HEIGHTS[strip.kind];
  const ticks = (strip.ticks || []).map(([row, text]) =>
    make("span", { style: `top:${height * (1 - (row + 0.5) / strip.rows)}px` }, text));
  return make("div", {}, make("div", { className: "label" }, strip.label),
    make("div", { className: "strip" }, drawStrip(strip, scale, width), make("div", { className: "ticks" }, ...ticks)));
}

// The words of one side where they lie in time; each is a button that plays from there.
function wordsOf(side, row, times, scale, jump) {
  const tokens = row.tokens.filter((token) => (side === "said" ? saidOf(token) : heardOf(token)) !== null);
  const buttons = times.map(([start, end, confidence], place) => {
    const token = tokens[place] ?? "";
    const text = side === "said" ? saidOf(token) : heardOf(token);
    const button = make("button", { type: "button", className: typeof token === "string" ? "" : "wrong",
      title: `${text}: ${start.toFixed(2)} to ${end.toFixed(2)} s, confidence ${confidence.toFixed(2)}` }, text);
    button.style.cssText = `left:${start * scale}px;width:${Math.max((end - start) * scale, 3)}px;--confidence:${confidence}`;
    button.onclick = (event) => { event.stopPropagation(); jump(start); };
    return button;
  });
  const label = { said: "said, where forced alignment puts it", heard: "heard; the line below a word is its confidence" }[side];
  return [make("div", { className: "label" }, label), make("div", { className: `words ${side}` }, ...buttons)];
}

// The part of a sound file that is the utterance. It is loaded when it is first played.
function soundOf([address, start, end], seconds, onTime, onState, onError) {
  const audio = new Audio();
  const last = Math.min(end - start, seconds);
  let position = 0;

  function follow() {
    if (audio.paused) return;
    position = Math.max(0, audio.currentTime - start);
    if (position >= last || audio.ended) {
      audio.pause();
      position = 0;
    } else requestAnimationFrame(follow);
    onTime(position);
  }
  function begin() {
    if (!audio.src) audio.src = address;
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    audio.currentTime = start + position;
    audio.play().catch(() => audio.error && onError());
  }
  audio.onplay = () => { onState(true); requestAnimationFrame(follow); };
  audio.onpause = () => onState(false);
  audio.onended = () => { position = 0; onTime(0); };
  return {
    play: begin,
    toggle: () => (audio.paused ? begin() : audio.pause()),
    seek: (place) => { position = place; if (audio.src) audio.currentTime = start + place; },
  };
}
