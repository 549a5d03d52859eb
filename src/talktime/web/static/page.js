// What every page does a little better with a script, and does without one, too: says when there is no network, shows
// that something is being sent, puts toasts away, copies, filters as one chooses, has where one is in sight.
(() => {
  "use strict";

  // Whether the server can be reached. The browser's word is not enough (a machine without a network reaches itself), so
  // the server is asked, and again until it answers. Pages that keep themselves up to date notice it by that, too.
  const away = document.getElementById("away");
  const unsent = document.getElementById("unsent");
  const ASK_AGAIN_MS = 3000;
  let asking = 0;
  async function ask() {
    const asked = fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(ASK_AGAIN_MS) });
    const reached = await asked.then((answer) => answer.ok, () => false);
    say(reached);
    return reached;
  }
  function say(reached) {
    clearTimeout(asking);
    if (!reached) asking = setTimeout(ask, ASK_AGAIN_MS);
    show(reached);
  }
  function show(reached) {
    if (away.hidden !== reached) away.hidden = reached;
    if (reached) unsent.hidden = true;
  }
  addEventListener("online", ask);
  addEventListener("offline", ask);
  if (!navigator.onLine) ask();
  document.addEventListener("htmx:sendError", () => say(false));
  document.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    if (xhr.status >= 500) show(false);
    else if (xhr.status > 0) say(true);
  });

  // A form that is being sent says so, and is not sent twice by a second click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.dataset.sending) {
      event.preventDefault();
      return;
    }
    const pressed = event.submitter;
    // Sent now, the page would be gone, and what was typed with it.
    if (!away.hidden) {
      event.preventDefault();
      unsent.hidden = false;
      ask().then((reached) => reached && form.requestSubmit(pressed));
      return;
    }
    form.dataset.sending = "yes";
    if (pressed && pressed.classList.contains("btn")) pressed.setAttribute("aria-busy", "true");
    // What answers with a file leaves this page where it is.
    setTimeout(() => forget(form), 8000);
  });
  function forget(form) {
    delete form.dataset.sending;
    for (const busy of form.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
  }
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sending]").forEach(forget));

  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-close]");
    if (close) close.closest(".toast").remove();
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(copy.dataset.copy).then(() => {
        const before = copy.textContent;
        copy.textContent = copy.dataset.done;
        copy.classList.add("copied");
        setTimeout(() => { copy.textContent = before; copy.classList.remove("copied"); }, 1600);
      });
    }
  });
  for (const hidden of document.querySelectorAll("[data-scripted]")) hidden.hidden = false;

  // What the Tab key comes to is brought wholly into sight: browsers are content with a part of it.
  document.addEventListener("keyup", (event) => {
    if (event.key === "Tab" && event.target !== document.body)
      event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  // Whoever leaves a question by the Tab key has not answered it: it does not stay in front of where they are then.
  document.addEventListener("focusin", (event) => {
    const asked = document.querySelector(".dialog:popover-open");
    if (asked && !asked.contains(event.target)) asked.hidePopover();
  });

  // Choosing in a filter shows it at once; the button stays for who types.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-at-once]");
    if (form && event.target.matches("select, input[type=date], input[type=checkbox]")) form.requestSubmit();
  });

  // Where one is begins in sight in a row that is wider than its window; newer browsers do it by themselves.
  if (!CSS.supports("scroll-initial-target", "nearest")) {
    for (const current of document.querySelectorAll(":is(.navs, .tabs, .editor-parts) > [aria-current]")) {
      const row = current.parentElement;
      row.scrollLeft += current.getBoundingClientRect().left - row.getBoundingClientRect().left - 44;
    }
  }

  // The address that says "done" says it once: loaded again, the page has nothing to say any more.
  const here = new URL(location);
  if (here.searchParams.has("done") && document.querySelector(".toast, .notice.good")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
})();
