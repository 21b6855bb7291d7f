"use strict";
// Strips over one time axis, drawn on canvases: waveform, heat maps, curves of symbols.

const HEIGHTS = { wave: 56, image: 120, curves: 96, axis: 22 };
const MOST_PIXELS = 16000; // of a canvas, across
// matplotlib's magma at equal distances
const MAGMA = [[0, 0, 4], [42, 17, 92], [114, 31, 129], [182, 54, 121], [241, 96, 93], [254, 174, 119], [252, 253, 191]];
const COLOURS = Uint8ClampedArray.from({ length: 256 * 4 }, (_, place) => {
  const [value, channel] = [(place >> 2) / 255 * (MAGMA.length - 1), place & 3];
  if (channel === 3) return 255;
  const below = Math.min(Math.floor(value), MAGMA.length - 2);
  return MAGMA[below][channel] + (value - below) * (MAGMA[below + 1][channel] - MAGMA[below][channel]);
});

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
}

// A canvas of that many CSS pixels, drawn as finely as the screen has them.
function canvasOf(width, height, draw) {
  const canvas = document.createElement("canvas");
  const scale = Math.min(window.devicePixelRatio || 1, MOST_PIXELS / width);
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.style.cssText = `width:${width}px;height:${height}px`;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.scale(canvas.width / width, scale);
  draw(context);
  return canvas;
}

// The strip's own seconds may differ a little from the recording's: the last frame may reach over its end.
function drawStrip(strip, pixelsASecond, width) {
  const height = HEIGHTS[strip.kind];
  const drawn = { wave: drawWave, image: drawImage, curves: drawCurves, axis: drawAxis }[strip.kind];
  return canvasOf(width, height, (context) => drawn(context, strip, strip.seconds * pixelsASecond, height));
}

function drawWave(context, strip, width, height) {
  const ends = new Int8Array(bytesOf(strip.data).buffer);
  const [step, middle] = [width / (ends.length / 2), height / 2];
  context.fillStyle = colour("accent");
  for (let column = 0; column < ends.length / 2; column++) {
    const [low, high] = [ends[2 * column] / 127, ends[2 * column + 1] / 127];
    context.fillRect(column * step, middle * (1 - high), step + 0.5, Math.max(middle * (high - low), 1));
  }
}

function drawImage(context, strip, width, height) {
  const data = bytesOf(strip.data);
  const columns = data.length / strip.rows;
  const picture = new ImageData(columns, strip.rows);
  for (let row = 0; row < strip.rows; row++)
    for (let column = 0; column < columns; column++) {
      const value = 4 * data[row * columns + column];
      picture.data.set(COLOURS.subarray(value, value + 4), 4 * ((strip.rows - 1 - row) * columns + column));
    }
  const small = document.createElement("canvas");
  [small.width, small.height] = [columns, strip.rows];
  small.getContext("2d").putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = strip.rows > 32;
  context.drawImage(small, 0, 0, width, height);
}

function drawCurves(context, strip, width, height) {
  const data = bytesOf(strip.data);
  const [count, floor, top] = [data.length / strip.symbols.length, height - 2, 18];
  const [step, up] = [width / count, (value) => floor - (floor - top) * value / 255];
  context.font = "13px system-ui, sans-serif";
  context.textAlign = "center";
  strip.symbols.forEach((symbol, row) => {
    const values = data.subarray(row * count, (row + 1) * count);
    context.fillStyle = context.strokeStyle = row ? `hsl(${(row * 137.5) % 360} 65% 50%)` : colour("soft");
    context.beginPath();
    values.forEach((value, column) => context.lineTo((column + 0.5) * step, up(value)));
    context.globalAlpha = row ? 1 : 0.35;
    context.stroke();
    if (!row) return; // of the blank a faint line alone
    context.lineTo(width, floor);
    context.lineTo(0, floor);
    context.globalAlpha = 0.25;
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = colour("ink");
    for (const column of peaksOf(values)) context.fillText(symbol, (column + 0.5) * step, up(values[column]) - 4);
  });
  context.fillStyle = colour("soft");
  context.fillRect(0, floor - 1, width, 2); // over the many lines of what is not there
}

// The highest place of each stretch above a quarter.
function peaksOf(values) {
  const peaks = [];
  let best = -1;
  for (let place = 0; place <= values.length; place++) {
    if (place < values.length && values[place] > 64) {
      if (best < 0 || values[place] > values[best]) best = place;
    } else if (best >= 0) {
      peaks.push(best);
      best = -1;
    }
  }
  return peaks;
}

function drawAxis(context, strip, width) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900].find((one) => one * width / strip.seconds >= 50) || 3600;
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = context.strokeStyle = colour("soft");
  for (let place = 0; place * step <= strip.seconds; place++) {
    const x = place * step * width / strip.seconds;
    context.fillRect(x, 0, 1, 5);
    context.fillText(`${+(place * step).toFixed(1)} s`, x + 3, 14);
  }
}
