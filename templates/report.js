"use strict";
{
  // Filters the explained instances. Without a script all of them are shown and the controls hidden.
  const byId = (id) => document.getElementById(id);
  const bar = byId("filter");
  const cards = bar ? [...document.querySelectorAll("#instances article[data-stratum]:not([data-stratum=''])")] : [];

  const fits = (card, outcome, stratum, text) =>
    (!outcome || card.dataset.outcome === outcome) &&
    (!stratum || card.dataset.stratum === stratum) &&
    (!text || card.textContent.toLowerCase().includes(text));

  const apply = () => {
    const text = byId("filter-text").value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      const fit = fits(card, byId("filter-outcome").value, byId("filter-stratum").value, text);
      card.hidden = !fit;
      shown += fit ? 1 : 0;
    }
    byId("filter-count").textContent = `${shown} of ${cards.length} shown`;
  };

  // A link to an instance leads there even if the filter hides it.
  const reveal = () => {
    const card = byId(location.hash.slice(1));
    if (card && card.hidden) {
      for (const id of ["filter-outcome", "filter-stratum", "filter-text"]) byId(id).value = "";
      apply();
      card.scrollIntoView();
    }
  };

  if (cards.length > 1) {
    for (const stratum of new Set(cards.map((card) => card.dataset.stratum))) {
      const option = document.createElement("option");
      option.textContent = option.value = stratum;
      byId("filter-stratum").append(option);
    }
    bar.addEventListener("input", apply);
    window.addEventListener("hashchange", reveal);
    bar.hidden = false;
    apply();
  }
}
