// Keeps a page up to date without disturbing who reads it: an htmx swap that changes only what is different. What is
// open stays open, what is focused stays focused, and a screen reader hears only the turns that are new.
(() => {
  "use strict";

  const counters = new WeakMap(); // element → the seconds it was given, and when

  htmx.defineExtension("keep", {
    isInlineSwap: (style) => style === "keep",
    handleSwap: (style, target, fragment) => {
      if (style !== "keep") return false;
      const added = [];
      for (const fresh of fragment.children) if (fresh.id === target.id) bring(target, fresh, added);
      tick();
      return added;
    },
  });

  // Make `old` look like `fresh`; elements that are new in it are added to `added`.
  function bring(old, fresh, added) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name, value } of fresh.attributes)
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes])
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    const staying = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    let place = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const match = counterpart(old, place, next);
      if (!match) {
        old.insertBefore(next, place);
        if (next.nodeType === Node.ELEMENT_NODE) added.push(next);
        continue;
      }
      place = meet(old, place, match, staying);
      bring(match, next, added);
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  }

  // Put `match` where `place` is, and say what comes after it. What goes anyway is taken away rather than `match` moved:
  // a moved element loses the focus.
  function meet(old, place, match, staying) {
    let between = place;
    while (between && between !== match && !staying.has(between.id)) between = between.nextSibling;
    if (between !== match) {
      old.insertBefore(match, place);
      return place;
    }
    while (place !== match) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
    return match.nextSibling;
  }

  // What in `old` is the same thing as `next`: the one with its id, else what stands in the same place.
  function counterpart(old, place, next) {
    if (next.id) return [...old.children].find((child) => child.id === next.id);
    return place && !place.id && place.nodeName === next.nodeName ? place : null;
  }

  // The length of a running call counts on between two looks at the server.
  function tick() {
    const now = performance.now() / 1000;
    for (const element of document.querySelectorAll("[data-elapsed]")) {
      const given = element.dataset.elapsed;
      let counter = counters.get(element);
      if (!counter || counter.given !== given) counters.set(element, (counter = { given, since: now }));
      const text = length(Math.floor(Number(given) + now - counter.since));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  function length(seconds) {
    const pad = (number) => String(number).padStart(2, "0");
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault(); // nobody is looking
  });
  // Brought back by the back button as it was left: whoever was signed in then may not be now.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  setInterval(tick, 1000);
  tick();
})();
