// Draws a series and the predictions for it. With #demo in the address, the page draws a series of its own.

import { Stream } from "./stream.mjs";

const STEPS = 50;
const [draw, sums] = ["draw", "sums"].map((id) => document.getElementById(id));
const [result, status] = ["result", "status"].map((id) => document.getElementById(id));
const values = [];
const predictions = [];

async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

// Draws the points of a series, and a line through them; `top` is the value at the upper edge.
function line(canvas, points, top, colour, width) {
  const context = canvas.getContext("2d");
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = width;
  const x = (step) => ((step + 0.5) / STEPS) * canvas.width;
  const y = (value) => (1 - value / top) * (canvas.height - 40) + 20;
  context.beginPath();
  points.forEach((value, step) => context.lineTo(x(step), y(value)));
  context.stroke();
  points.forEach((value, step) => context.fillRect(x(step) - 4, y(value) - 4, 8, 8));
}

function paint() {
  for (const canvas of [draw, sums]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  let sum = 0;
  const exact = values.map((value) => (sum += value));
  const top = Math.max(5, ...exact, ...predictions) * 1.1;
  line(draw, values, 1, "#0f766e", 4);
  line(sums, exact, top, "#94a3b8", 10);
  line(sums, predictions, top, "#c2410c", 3);
  const last = predictions.at(-1);
  result.textContent = values.length
    ? `${last.toFixed(2)} predicted, ${sum.toFixed(2)} exact, ${values.length} steps`
    : "nothing drawn yet";
}

function push(stream, value) {
  values.push(value);
  predictions.push(stream.step(value));
}

try {
  const [module, checkpoint] = await Promise.all([bytes("browser.wasm"), bytes("run/best.safetensors")]);
  const stream = await Stream.open(module, checkpoint);
  const clear = () => {
    stream.reset();
    values.length = predictions.length = 0;
    paint();
  };
  draw.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const box = draw.getBoundingClientRect();
    const value = Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / box.height));
    // A fast movement skips columns: they take the same value.
    const step = Math.min(STEPS - 1, Math.floor(((event.clientX - box.left) / box.width) * STEPS));
    while (values.length <= step) push(stream, value);
    paint();
  });
  draw.addEventListener("pointerdown", clear);
  document.getElementById("clear").addEventListener("click", clear);
  if (location.hash === "#demo") {
    for (let step = 0; step < STEPS; step += 1) push(stream, 0.5 + 0.45 * Math.sin(step / 4));
  }
  paint();
  const kib = (array) => `${Math.round(array.byteLength / 1024)} KiB`;
  status.textContent = `Module ${kib(module)}, model ${kib(checkpoint)}.`;
} catch (error) {
  status.textContent = error.message;
}
