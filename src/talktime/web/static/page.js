// What every page does a little better with a script, and does without one, too: says when there is no network, shows
// that something is being sent, puts toasts away, copies, filters as one chooses.
(() => {
  "use strict";

  const away = document.getElementById("away");
  const reach = () => { if (away) away.hidden = navigator.onLine; };
  addEventListener("online", reach);
  addEventListener("offline", reach);
  reach();

  // A form that is being sent says so, and is not sent twice by a second click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.dataset.sending) {
      event.preventDefault();
      return;
    }
    form.dataset.sending = "yes";
    const pressed = event.submitter;
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

  // Choosing in a filter shows it at once; the button stays for who types.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-at-once]");
    if (form && event.target.matches("select, input[type=date], input[type=checkbox]")) form.requestSubmit();
  });

  // The address that says "done" says it once: loaded again, the page has nothing to say any more.
  const here = new URL(location);
  if (here.searchParams.has("done") && document.querySelector(".toast, .notice.good")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
})();
