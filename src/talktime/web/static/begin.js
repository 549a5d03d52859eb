// Forms of the first hour save themselves when a field is left. What is wrong stays with the form: its button shows it.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("form[data-autosave]")) {
    const state = form.querySelector("[data-state]");
    let running = null;
    let again = false;

    const save = async () => {
      if (running) {
        again = true;
        return;
      }
      state.textContent = state.dataset.saving;
      try {
        running = fetch(form.action, {
          method: "POST",
          headers: { accept: "application/json" },
          body: new URLSearchParams(new FormData(form)),
        });
        const answer = await running;
        // Whoever was signed out meanwhile gets a page, which is no answer to this.
        const wrong = Object.values((await answer.json()).errors);
        state.textContent = wrong[0] || state.dataset.saved;
      } catch {
        state.textContent = state.dataset.failed;
      }
      running = null;
      if (again) {
        again = false;
        save();
      }
    };
    form.addEventListener("change", save);
  }
})();
