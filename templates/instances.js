  // The explained rows: filtered, sorted and shown in pages. Without a script the first of them stand
  // one below the other, and the controls are hidden.
  const MOST_NODES = 5000;
  const CONFIDENCE = {
    {{ script_text("below .5") }}: [0, 0.5],
    {{ script_text(".5 to .9") }}: [0.5, 0.9],
    {{ script_text(".9 to .99") }}: [0.9, 0.99],
    {{ script_text(".99 and above") }}: [0.99, Infinity],
  };
  const ORDERS = {
    "": (a, b) => a.place - b.place,
    {{ script_text("most confident") }}: (a, b) => b.confidence - a.confidence,
    {{ script_text("least confident") }}: (a, b) => a.confidence - b.confidence,
    {{ script_text("cited by findings") }}: (a, b) => b.findings.length - a.findings.length,
  };
  const SELECTS = {
    outcome: (row) => [{{ script_name("row.outcome", outcomes) }}],
    predicted: (row) => row.predicted,
    labelled: (row) => row.labels,
    confidence: (row) =>
      Object.keys(CONFIDENCE).filter(
        (name) => row.confidence >= CONFIDENCE[name][0] && row.confidence < CONFIDENCE[name][1],
      ),
    finding: (row) => row.findings.map((rank) => {{ script_text("finding {n}", n="rank") }}),
    slice: (row) => row.slices.map(([column, value]) => `${column} = ${value}`),
    stratum: (row) => [row.stratum],
  };
  const control = (name) => byId(`filter-${name}`);
  const names = () => [...Object.keys(SELECTS), "text", "sort"];

  const browse = async (rows) => {
    const place = byId("cards");
    let fitting = rows;
    let first = 0;
    let shown = [];
    let turns = 0;

    const addOptions = () => {
      for (const [name, values] of Object.entries(SELECTS)) {
        const found = new Set(rows.flatMap(values).filter((value) => value));
        const known = name === "confidence" ? Object.keys(CONFIDENCE) : [...found];
        const options = known.filter((value) => found.has(value));
        control(name).append(...options.map((value) => make("option", {}, value)));
        control(name).parentElement.hidden = !options.length;
      }
    };

    // Packed rows become cards, and their texts are read, only when they are asked for.
    const source = packedRows();
    const load = async (row) => (row.card ??= await source.cardOf(row));
    const readText = async (row) =>
      (row.text ??= (row.card ? row.card.textContent : await source.textOf(row)).toLowerCase());

    const fits = (row, asked, text) =>
      asked.every(([name, value]) => SELECTS[name](row).includes(value)) &&
      (!text || row.text.includes(text));

    // At most so many pieces of text at a time: more make a browser slow.
    const show = async (from) => {
      const turn = (turns += 1);
      first = Math.max(0, Math.min(from, fitting.length - 1));
      shown = [];
      let nodes = 0;
      for (const row of fitting.slice(first)) {
        nodes += row.nodes;
        if (shown.length && nodes > MOST_NODES) break;
        shown.push(row);
      }
      const cards = await Promise.all(shown.map(load));
      if (turn !== turns) return;
      place.replaceChildren(...cards);
      const whole = shown.length === fitting.length;
      const range = whole ? "" : {{ script_text(", {first} to {last} on this page", first="first + 1", last="first + shown.length") }};
      byId("filter-count").textContent = {{ script_text("{n} of {all} shown{range}", n="fitting.length", all="rows.length", range="range") }};
      byId("pages").hidden = whole;
      byId("page-before").disabled = first === 0;
      byId("page-after").disabled = first + shown.length >= fitting.length;
    };

    const startOfPageBefore = () => {
      let start = first;
      for (let nodes = 0; start > 0; start -= 1) {
        nodes += fitting[start - 1].nodes;
        if (nodes > MOST_NODES && start < first) break;
      }
      return start;
    };

    const apply = async () => {
      const asked = Object.keys(SELECTS)
        .map((name) => [name, control(name).value])
        .filter(([, value]) => value);
      const text = control("text").value.trim().toLowerCase();
      if (text) await Promise.all(rows.map(readText));
      fitting = rows.filter((row) => fits(row, asked, text)).sort(ORDERS[control("sort").value]);
      await show(0);
    };

    const remember = () => {
      const said = new URLSearchParams(
        names().map((name) => [name, control(name).value]).filter(([, value]) => value),
      ).toString();
      setAddress(said ? `#instances?${said}` : "#instances");
    };

    // An address says what is filtered, or which row is meant; that row is shown in any case.
    const follow = async () => {
      if (!place.isConnected) return;
      const hash = location.hash.slice(1);
      if (hash.startsWith("instances?")) {
        const said = new URLSearchParams(hash.slice("instances?".length));
        for (const name of names()) control(name).value = said.get(name) ?? "";
        await apply();
        byId("instances").scrollIntoView();
        return;
      }
      const row = rows.find(({ anchor }) => anchor === hash);
      if (!row) return;
      if (!shown.includes(row)) {
        if (!fitting.includes(row)) {
          for (const name of names()) control(name).value = "";
          await apply();
        }
        if (!shown.includes(row)) await show(fitting.indexOf(row));
      }
      row.card.scrollIntoView();
      row.card.focus({ preventScroll: true });
    };

    const byAnchor = new Map(rows.map((row) => [row.anchor, row]));
    for (const card of place.children) {
      const row = byAnchor.get(card.id);
      row.card = card;
      row.nodes = countTexts(card);
    }
    addOptions();
    byId("filter").hidden = rows.length < 2;
    byId("filter").addEventListener("input", () => {
      apply();
      remember();
    });
    byId("page-before").addEventListener("click", () => show(startOfPageBefore()));
    byId("page-after").addEventListener("click", () => show(first + shown.length));
    addEventListener("hashchange", follow);
    addEventListener("beforeprint", () => {
      if (place.isConnected) place.replaceChildren(...rows.flatMap((row) => row.card ?? []));
    });
    addEventListener("afterprint", () => place.isConnected && show(first));
    byId("packed-note")?.remove();
    await show(0);
    await follow();
    return { cards: () => [...place.children], show: () => show(first), load };
  };
