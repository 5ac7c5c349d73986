// The switch between light and dark, and the contents, which are folded on a phone. The page can be read without it.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const key = "jaxdeep-theme";

  const stored = () => {
    try {
      return window.localStorage.getItem(key);
    } catch {
      return null; // a browser that keeps nothing for files
    }
  };
  const keep = (theme) => {
    try {
      window.localStorage.setItem(key, theme);
    } catch {
      // the choice then lasts until the page is closed
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));

  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  button.hidden = false;
  show();
  system.addEventListener("change", show);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    keep(root.dataset.theme);
    show();
  });

  // The target of a link may stand inside a fold: open it, so that the link leads somewhere.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);

  const contents = document.getElementById("contents");
  const narrow = window.matchMedia("(max-width: 60rem)");
  const fold = () => {
    contents.open = !narrow.matches;
  };
  fold();
  narrow.addEventListener("change", fold);
  contents.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest("a")) contents.open = false;
  });
  if (window.location.hash) reveal();
})();
