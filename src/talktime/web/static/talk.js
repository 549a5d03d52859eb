// The panel on which somebody calls their own agent. The sound is microphone.js's; what is said on the line stands in
// carriers/browser.py. Without a microphone, or by choice, the whole call works by typing.
(() => {
  "use strict";

  const START_SECONDS = 15;
  const END_SECONDS = 8;
  const HERE_SECONDS = 2;

  class Phone {
    constructor(panel) {
      this.panel = panel;
      this.form = panel.querySelector("form[data-call]");
      this.words = {};
      const words = panel.querySelector("template[data-words]").content;
      for (const word of words.querySelectorAll("[data-word]")) this.words[word.dataset.word] = word.textContent.trim();
      this.log = panel.querySelector("[data-log]");
      this.line = panel.querySelector("[data-line]");
      this.typed = panel.querySelector("[data-typed]");
      this.reset();
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.call(!(event.submitter && event.submitter.hasAttribute("data-typing")));
      });
      this.line.addEventListener("submit", (event) => {
        event.preventDefault();
        this.say();
      });
      this.typed.addEventListener("input", () => this.here(true));
      this.on("hang-up", () => this.hangUp());
      this.on("mute", (button) => {
        this.muted = press(button);
        if (this.sound) this.sound.node.port.postMessage({ hearing: this.hears() });
        this.show();
      });
      this.on("sound", (button) => {
        this.silent = press(button);
        if (this.sound) this.sound.loudness.gain.value = this.silent ? 0 : 1;
      });
      addEventListener("pagehide", () => this.socket && this.socket.close());
      this.to("idle");
    }

    on(name, deed) {
      const button = this.panel.querySelector(`[data-do="${name}"]`);
      button.addEventListener("click", () => deed(button));
    }

    reset() {
      this.socket = this.sound = this.stream = null;
      this.muted = this.silent = this.speaking = this.over = false;
      this.note = "";
      this.ending = null;
      this.agentTurn = this.callerTurn = null;
      this.began = this.hereAt = 0;
      for (const button of this.panel.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", "false");
    }

    // From here to there: connecting, live, ending; then ended, refused or lost.
    to(state) {
      const focused = document.activeElement;
      // What is put away loses the focus; it is given on unless somebody took it elsewhere meanwhile.
      this.held = this.panel.contains(focused) || (this.held && (!focused || focused === document.body));
      this.state = state;
      this.panel.dataset.state = state;
      for (const part of this.panel.querySelectorAll("[data-when]"))
        part.hidden = !part.dataset.when.split(" ").includes(state);
      this.show();
      if (!this.held) return;
      if (state === "live") (this.stream ? this.panel.querySelector('[data-do="hang-up"]') : this.typed).focus();
      else if (state !== "connecting" && state !== "ending") this.form.querySelector("button").focus();
    }

    show() {
      const live = this.state === "live";
      this.put("status", this.words[this.state] || "");
      this.put("note", this.note);
      this.panel.querySelector('[data-do="mute"]').hidden = !this.stream;
      this.put("turn", live ? this.words[this.speaking ? "speaking" : this.hears() ? "listening" : "waiting"] : "");
    }

    put(name, text) {
      const place = this.panel.querySelector(`[data-put="${name}"]`);
      if (place.textContent !== text) place.textContent = text;
      place.hidden = !text;
    }

    hears() {
      return !!this.stream && !this.muted;
    }

    async call(withMicrophone) {
      if (this.state === "connecting" || this.state === "live" || this.state === "ending") return;
      this.reset();
      this.log.replaceChildren();
      this.put("cost", "");
      this.put("time", "");
      this.to("connecting");
      try {
        await this.openSound(withMicrophone);
        const answer = await fetch(this.form.action, {
          method: "POST",
          body: new URLSearchParams(new FormData(this.form)),
          headers: { accept: "application/json" },
        });
        const said = await answer.json().catch(() => ({}));
        if (!answer.ok || !said.line) return this.refuse(said);
        this.page(said.call);
        this.connect(said);
      } catch {
        this.refuse({ problem: this.words.unreachable });
      }
    }

    async openSound(withMicrophone) {
      try {
        const context = new AudioContext({ latencyHint: "interactive" });
        await context.audioWorklet.addModule(this.panel.dataset.microphone);
        const node = new AudioWorkletNode(context, "line", { outputChannelCount: [1] });
        const loudness = context.createGain();
        node.connect(loudness).connect(context.destination);
        node.port.onmessage = ({ data }) => this.heard(data);
        this.sound = { context, node, loudness };
        context.resume();
      } catch {
        this.note = this.words["no-sound"];
        return;
      }
      if (!withMicrophone) return;
      try {
        if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
        const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
        this.stream = await navigator.mediaDevices.getUserMedia({ audio });
        this.sound.context.createMediaStreamSource(this.stream).connect(this.sound.node);
        for (const track of this.stream.getTracks()) track.onended = () => this.lostMicrophone();
      } catch (error) {
        this.note = this.words[error.name === "NotAllowedError" ? "not-allowed" : "no-microphone"];
      }
      this.show();
    }

    lostMicrophone() {
      if (!this.stream) return;
      this.stream = null;
      this.note = this.words["no-microphone"];
      this.show();
    }

    connect(said) {
      const address = new URL(said.line, location.href);
      address.protocol = address.protocol.replace("http", "ws");
      const socket = (this.socket = new WebSocket(address));
      socket.binaryType = "arraybuffer";
      socket.onopen = () => socket.send(JSON.stringify(said.start));
      socket.onmessage = ({ data }) => this.told(data);
      socket.onclose = () => this.closed();
      this.patience = setTimeout(() => this.state === "connecting" && socket.close(), START_SECONDS * 1000);
    }

    // What the line says.
    told(data) {
      if (this.state === "connecting") this.answered();
      if (typeof data !== "string") {
        if (this.sound) this.post({ play: new Uint8Array(data) });
        return;
      }
      const said = JSON.parse(data);
      if (said.event === "mark") this.post({ mark: said.name });
      else if (said.event === "clear") this.post({ clear: true });
      else if (said.event === "heard") this.callerSaid(said.text);
      else if (said.event === "saying") this.agentSays(said.text);
      else if (said.event === "turn") this.turnOver(said);
      else if (said.event === "meter") this.cost(said.credits, "so-far");
      else if (said.event === "ended") this.ended(said);
    }

    answered() {
      clearTimeout(this.patience);
      this.began = performance.now();
      this.to("live");
      if (this.sound) this.post({ hearing: this.hears() });
      this.ticking = setInterval(() => this.tick(), 500);
    }

    post(message) {
      if (this.sound) this.sound.node.port.postMessage(message);
    }

    // What the sound says.
    heard(data) {
      if (data.frame) this.send(data.frame);
      else if (data.played) this.tell({ event: "played", name: data.played });
      else if (data.alive) this.here(false);
      else if ("speaking" in data) {
        this.speaking = data.speaking;
        this.show();
      }
    }

    send(message) {
      if (this.state === "live" && this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
    }

    tell(message) {
      this.send(JSON.stringify(message));
    }

    // Where no sound tells it, that somebody is there; and that they are typing, which is no silence.
    here(typing) {
      const now = performance.now();
      if (this.state !== "live" || (!typing && this.hears()) || now - this.hereAt < HERE_SECONDS * 900) return;
      this.hereAt = now;
      this.tell({ event: "here", typing });
    }

    say() {
      const text = this.typed.value.trim();
      if (!text || this.state !== "live") return;
      this.tell({ event: "said", text });
      this.typed.value = "";
    }

    hangUp() {
      if (this.state !== "live") return;
      this.tell({ event: "stop" });
      this.post({ clear: true });
      this.post({ hearing: false });
      this.to("ending");
      this.patience = setTimeout(() => this.socket.close(), END_SECONDS * 1000);
    }

    tick() {
      this.here(false);
      if (this.state !== "live") return;
      const seconds = Math.floor((performance.now() - this.began) / 1000);
      this.put("time", `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
    }

    cost(credits, how) {
      if (credits === null || credits === undefined) return;
      const figure = credits.toLocaleString(document.documentElement.lang);
      this.put("cost", (this.words[credits === 1 ? `${how}-one` : how] || "").replace("{count}", figure));
    }

    ended(said) {
      this.ending = said;
      this.cost(said.credits, "in-all");
      this.note = this.words[`ended-${said.reason}`] || "";
    }

    closed() {
      clearTimeout(this.patience);
      clearInterval(this.ticking);
      const state = this.state;
      this.silence();
      if (this.agentTurn) this.agentTurn.classList.remove("pending");
      if (this.ending) this.to("ended");
      else if (state === "connecting") this.refuse({ problem: this.words.unreachable });
      else this.to("lost");
    }

    refuse(said) {
      this.silence();
      this.note = said.problem || this.words.again;
      const leads = this.panel.querySelector("[data-leads]");
      leads.hidden = !said.leads;
      if (said.leads) {
        leads.href = said.leads.address;
        leads.textContent = said.leads.text;
      }
      this.to("refused");
    }

    silence() {
      if (this.stream) for (const track of this.stream.getTracks()) track.stop();
      if (this.sound) this.sound.context.close();
      this.stream = this.sound = null;
    }

    page(address) {
      this.panel.querySelector("[data-page]").href = address;
    }

    // The transcript: what is being said stands there at once, and as it was heard once it is over.
    callerSaid(text) {
      if (this.agentTurn) this.agentTurn.remove(); // nothing of it was heard
      this.agentTurn = null;
      this.callerTurn = this.callerTurn || this.turn("caller");
      this.write(this.callerTurn, text);
    }

    agentSays(text) {
      const before = this.agentTurn ? this.agentTurn.querySelector("[data-text]").textContent : "";
      this.agentTurn = this.agentTurn || this.turn("agent");
      this.write(this.agentTurn, before ? `${before} ${text}` : text);
    }

    turnOver(said) {
      const side = said.speaker === "CALLER" ? "caller" : "agent";
      const mine = side === "caller" ? "callerTurn" : "agentTurn";
      const turn = this[mine] || this.turn(side);
      this.write(turn, said.text);
      turn.classList.remove("pending");
      if (said.interrupted && side === "agent") this.cutIn(turn);
      this[mine] = null;
    }

    turn(side) {
      const turn = this.panel.querySelector(`template[data-turn="${side}"]`).content.firstElementChild.cloneNode(true);
      const seconds = Math.max(0, Math.floor((performance.now() - this.began) / 1000));
      turn.querySelector("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (side === "caller" && this.agentTurn) this.log.insertBefore(turn, this.agentTurn);
      else this.log.append(turn);
      return turn;
    }

    write(turn, text) {
      turn.querySelector("[data-text]").textContent = text;
      this.log.scrollTop = this.log.scrollHeight;
    }

    cutIn(turn) {
      turn.querySelector("[data-cut]").hidden = false;
    }
  }

  function press(button) {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    return pressed;
  }

  for (const panel of document.querySelectorAll("[data-phone]")) new Phone(panel);
})();
