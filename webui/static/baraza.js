/* What JavaScript adds to pages that work without it: a counter, copying, printing, and a reload when a stream fails. */
(function () {
  "use strict";
  var root = document.documentElement;
  root.className += " js";

  function each(list, work) {
    for (var i = 0; i < list.length; i += 1) work(list[i]);
  }

  function closest(node, selector) {
    while (node && node.nodeType === 1 && !node.matches(selector)) node = node.parentNode;
    return node && node.nodeType === 1 ? node : null;
  }

  /* The box counts characters, not the halves of them that JavaScript counts. */
  function count(text) {
    return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, ".").length;
  }

  each(document.querySelectorAll("[data-counter]"), function (counter) {
    var box = document.getElementById(counter.getAttribute("data-counter"));
    var most = Number(counter.getAttribute("data-most"));
    function show() {
      var now = count(box.value);
      counter.textContent = counter.getAttribute("data-words").replace("{n}", now.toLocaleString(root.lang));
      counter.className = now > most ? "over" : "";
    }
    box.addEventListener("input", show);
    window.addEventListener("pageshow", show);
    show();
  });

  /* navigator.clipboard does not exist on plain http, which is all a box has. */
  function copy(button) {
    var text = document.querySelector(button.getAttribute("data-copy")).cloneNode(true);
    var box = document.createElement("textarea");
    each(text.querySelectorAll(".note"), function (note) { note.parentNode.removeChild(note); });
    box.value = text.textContent;
    box.className = "unseen";
    box.setAttribute("readonly", "");
    button.parentNode.appendChild(box);
    box.select();
    if (document.execCommand("copy")) button.lastChild.textContent = button.getAttribute("data-done");
    button.parentNode.removeChild(box);
    button.focus();
  }

  document.addEventListener("click", function (event) {
    var button = closest(event.target, "[data-copy], [data-print]");
    if (!button) return;
    if (button.hasAttribute("data-print")) window.print();
    else copy(button);
  });

  /* The page of a request always tells how it stands: when the stream fails for good, load it again. */
  function reload() {
    window.setTimeout(function () { window.location.reload(); }, 2000);
  }

  document.addEventListener("htmx:sseError", function (event) {
    if (event.detail.source.readyState !== 2) return;
    event.target.removeAttribute("sse-connect");
    reload();
  });
  document.addEventListener("htmx:responseError", reload);
  document.addEventListener("htmx:sendError", reload);
  window.addEventListener("load", function () {
    if (!window.htmx && document.querySelector("[sse-connect]")) reload();
  });
})();
