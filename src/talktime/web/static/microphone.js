// The sound of one call, on the browser's own thread for sound: what the microphone hears becomes frames for the line
// (µ-law, 8,000 samples a second, 20 ms each), and what comes from the line is played. Nothing is kept.
//
// From the page: {play: bytes}, {mark: name}, {clear: true}, {hearing: yes or no}.
// To the page: {frame: bytes}, {played: name}, {speaking: yes or no}, {alive: true}.

const LINE_RATE = 8000;
const FRAME = 160;
const PHASES = 32;
const QUIET_SECONDS = 0.25; // without sound for so long, the agent has stopped speaking
const ALIVE_SECONDS = 2;

// From one rate to another, through a filter that keeps what neither has room for out of it.
class Resampler {
  constructor(from, to) {
    this.ratio = from / to;
    const scale = Math.min(1, to / from) * 0.94;
    this.half = Math.ceil(10 / scale);
    this.length = 2 * this.half + 2;
    this.heard = new Float32Array(this.length);
    this.at = 0;
    this.missing = 0; // samples that must still come before the next one can go
    this.tables = [];
    for (let phase = 0; phase <= PHASES; phase++) this.tables.push(this.kernel(phase / PHASES, scale));
  }

  kernel(fraction, scale) {
    const table = new Float32Array(this.length);
    for (let back = 0; back < this.length; back++) {
      const distance = this.half + fraction - back;
      const x = Math.PI * scale * distance;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (this.half + 1));
      if (Math.abs(distance) <= this.half + 1) table[back] = scale * window * (Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x);
    }
    return table;
  }

  take(sample, give) {
    this.at = (this.at + 1) % this.length;
    this.heard[this.at] = sample;
    this.missing -= 1;
    while (this.missing <= 0) {
      const table = this.tables[Math.min(PHASES, Math.round(-this.missing * PHASES))];
      let sum = 0;
      let place = this.at;
      for (let back = 0; back < this.length; back++) {
        sum += this.heard[place] * table[back];
        place = place === 0 ? this.length - 1 : place - 1;
      }
      give(sum);
      this.missing += this.ratio;
    }
  }
}

const DECODED = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const size = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return (code & 0x80 ? -size : size) / 32768;
});

function encoded(sample) {
  const value = Math.max(-1, Math.min(1, sample)) * 32767;
  const size = Math.min(32635, Math.abs(Math.round(value))) + 0x84;
  const exponent = 31 - Math.clz32(size) - 7;
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

class LineProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.outward = new Resampler(sampleRate, LINE_RATE);
    this.inward = new Resampler(LINE_RATE, sampleRate);
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.hearing = false;
    this.waiting = []; // pieces of sound, and the marks between them
    this.place = 0; // in the first piece
    this.ready = []; // samples for the loudspeaker
    this.speaking = false;
    this.quietSince = 0;
    this.aliveAt = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told(data) {
    if (data.play) this.waiting.push(data.play);
    else if (data.mark) this.waiting.push(data.mark);
    else if (data.clear) {
      for (const piece of this.waiting) if (typeof piece === "string") this.port.postMessage({ played: piece });
      this.waiting = [];
      this.place = 0;
    } else if ("hearing" in data) this.hearing = data.hearing;
  }

  process([input], [output]) {
    if (this.hearing && input && input[0]) for (const sample of input[0]) this.outward.take(sample, (low) => this.hear(low));
    const first = output[0];
    while (this.ready.length < first.length) this.inward.take(this.next(), (high) => this.ready.push(high));
    const sound = this.ready.splice(0, first.length);
    for (const channel of output) channel.set(sound);
    this.tell();
    return true;
  }

  hear(sample) {
    this.frame[this.filled++] = encoded(sample);
    if (this.filled < FRAME) return;
    this.port.postMessage({ frame: this.frame.slice() });
    this.filled = 0;
  }

  // The next sample from the line; silence when nothing is there.
  next() {
    while (this.waiting.length) {
      const piece = this.waiting[0];
      if (typeof piece !== "string" && this.place < piece.length) {
        this.quietSince = currentTime;
        return DECODED[piece[this.place++]];
      }
      this.waiting.shift();
      this.place = 0;
      if (typeof piece === "string") this.port.postMessage({ played: piece });
    }
    return 0;
  }

  tell() {
    const speaking = currentTime - this.quietSince < QUIET_SECONDS && this.quietSince > 0;
    if (speaking !== this.speaking) this.port.postMessage({ speaking: (this.speaking = speaking) });
    if (currentTime < this.aliveAt) return;
    this.aliveAt = currentTime + ALIVE_SECONDS;
    this.port.postMessage({ alive: true });
  }
}

registerProcessor("line", LineProcessor);
