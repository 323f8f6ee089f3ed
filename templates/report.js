"use strict";
{
  const byId = (id) => document.getElementById(id);

  // All that is written goes in as text; nothing of a record is read as markup.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Five letters stand for four bytes: those from "(" to "~" without < and >, which HTML reads.
  const unpack = async (script) => {
    const letters = script.textContent;
    const view = new DataView(new ArrayBuffer(4 * Math.ceil(letters.length / 5)));
    for (let start = 0; start < letters.length; start += 5) {
      let number = 0;
      for (let i = start; i < start + 5; i += 1) {
        const code = letters.charCodeAt(i) || 126;
        number = number * 85 + code - 40 - (code > 60) - (code > 62);
      }
      view.setUint32(0.8 * start, number);
    }
    const bytes = new Uint8Array(view.buffer, 0, Math.floor(0.8 * letters.length));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  const countTexts = (element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let texts = 0;
    while (walker.nextNode()) texts += walker.currentNode.data.trim() ? 1 : 0;
    return texts;
  };

  // Keys of one letter act outside of fields, and can be turned off (WCAG 2.1.4).
  const keys = { actions: {}, on: true };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof Element)) return;
    if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
    const action = keys.on && !document.querySelector("dialog[open]") && keys.actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  // Moves the focus to the next of some elements, or the one before.
  const step = (elements, by) => {
    const shown = elements.filter((element) => element.getClientRects().length);
    const now = shown.findIndex((element) => element.contains(document.activeElement));
    const next = shown[now < 0 ? (by > 0 ? 0 : shown.length - 1) : now + by];
    if (next) {
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    }
  };

  // A frame without an origin has no address of its own to change.
  const setAddress = (hash) => {
    try {
      history.replaceState(null, "", hash);
    } catch {}
  };

{% include "sha256.js" %}

{% include "packed.js" %}
{% include "instances.js" %}
{% include "review.js" %}

  // The contents show where one is: in the last section whose title is at the top, or above it.
  const NEAR_TOP = 120;
  const markPlace = () => {
    const links = [...document.querySelectorAll("nav a")];
    const passed = links.filter((link) => {
      const section = byId(link.hash.slice(1));
      return section && section.getBoundingClientRect().top < NEAR_TOP;
    });
    const atEnd = scrollY > 0 && innerHeight + scrollY >= document.body.scrollHeight - 2;
    const here = atEnd ? links.at(-1) : passed.at(-1);
    for (const link of links) {
      if (link === here) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    }
  };

  const start = async (index) => {
    const { columns, ...data } = await unpack(index);
    data.rows = (columns.text_sha256 ?? []).map((digest, place) => {
      const row = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[place]]));
      const id = row.id || digest.slice(0, 12);
      return { ...row, place, id, anchor: row.anchor || `i-${id}` };
    });
    const browser = await browse(data.rows);
    const findings = () => [...document.querySelectorAll(".findings li")];
    const help = byId("keys");
    const resume = () => {
      keys.actions = pageKeys;
      browser.show();
      byId("open-review").focus();
    };
    // Who sees what others said is not blind; and the hash of their report is another one.
    const canReview = data.rows.length > 0 && !data.is_reviewed;
    const openReview = review(data, browser.load, resume);
    const pageKeys = {
      "/": () => byId("filter-text").focus(),
      "?": () => help.showModal(),
      j: () => step(browser.cards(), 1),
      k: () => step(browser.cards(), -1),
      n: () => step(findings(), 1),
      p: () => step(findings(), -1),
      ...(canReview ? { r: openReview } : {}),
    };
    keys.actions = pageKeys;
    byId("keys-on").addEventListener("input", (event) => (keys.on = event.target.checked));
    byId("keys-close").addEventListener("click", () => help.close());
    byId("open-keys").addEventListener("click", () => help.showModal());
    byId("open-review").addEventListener("click", openReview);
    byId("tools").hidden = false;
    byId("open-review").hidden = !canReview;
    addEventListener("scroll", markPlace, { passive: true });
    markPlace();
    if (canReview && location.hash === "#review") openReview();
  };

  // A section of a comparison has that id too.
  const index = document.querySelector("script#rows");
  if (index) start(index);
}
