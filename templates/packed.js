  // Rows that are packed into the page: unpacked in chunks, and written out as text.
  const ROWS_PER_CHUNK = 400;
  const SIMPLE_PIECES = /[ \t\n\r]+|[A-Za-z0-9_]+(?:'[A-Za-z0-9_]+)*|[^ \t\n\r]/g;
  const ZERO_LEVEL = "i".charCodeAt(0);
  const FIRST_PIECE = "#".charCodeAt(0);

  const packedRows = () => {
    const scripts = [...document.querySelectorAll("script.chunk")];
    const unpacked = [];
    const chunkOf = (row) => (unpacked[Math.floor(row.packed / ROWS_PER_CHUNK)] ??= unpack(scripts[Math.floor(row.packed / ROWS_PER_CHUNK)]));

    // What cannot be seen is shown as a mark of the style sheet, and stays in the text.
    const marked = (text) =>
      text.split(/([\p{Cc}\p{Cf}\p{Zl}\p{Zp}])/u).map((bit, number) => {
        if (number % 2 === 0 || "\t\n\r\u200c\u200d".includes(bit)) return bit;
        const code = bit.codePointAt(0);
        const hex = code.toString(16).toUpperCase().padStart(4, "0");
        const mark = code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? "␡" : `⟨U+${hex}⟩`;
        return make("bdi", { class: "mark", "data-mark": mark }, bit);
      });

    const pieceOf = (text, letter) => {
      if (letter === "z") return [make("s", {}, ...marked(text))];
      const level = letter.charCodeAt(0) - ZERO_LEVEL;
      if (!level) return marked(text);
      const side = level > 0 ? "towards" : "against";
      return [make("span", { class: `${side} l${Math.abs(level)}` }, ...marked(text))];
    };

    const cut = (text, lengths) => {
      if (!lengths.length) return text.match(SIMPLE_PIECES) ?? [];
      const letters = Array.from(text);
      let done = 0;
      return [...lengths].map((length) => {
        const start = done;
        done += typeof length === "string" ? parseInt(length, 36) : length;
        return letters.slice(start, done).join("");
      });
    };

    const grade = (letter) => make("span", { class: `grade ${letter ? `g${letter}` : "none"}` }, letter || {{ script_text("not graded") }});

    const decimal = (number, digits) =>
      Math.abs(number / 10 ** digits).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const signed = (number, digits) => `${number > 0 ? "+" : number < 0 ? "−" : ""}${decimal(number, digits)}`;

    const cardOf = async (row) => {
      const chunk = await chunkOf(row);
      const at = row.packed % ROWS_PER_CHUNK;
      const words = [];
      row.texts = chunk.texts[at];
      const paragraphs = chunk.texts[at].flatMap((text, side) => {
        const pieces = cut(text.replaceAll("\0", "␀"), chunk.lengths[at][side]);
        words.push(...pieces);
        const nodes = pieces.flatMap((piece, number) => pieceOf(piece, chunk.levels[at][side][number]));
        const paragraph = make("p", { class: "text", dir: "auto" }, ...nodes);
        return row.paragraphs > 1 ? [make("p", { class: "part" }, chunk.sides[side]), paragraph] : [paragraph];
      });
      const heads = chunk.methods[at].map((title, method) => make("th", { scope: "col" }, `${title} `, grade(chunk.grades[at][method])));
      const places = [...chunk.features[at]].map((place) => (typeof place === "string" ? place.charCodeAt(0) - FIRST_PIECE : place));
      const body = places.map((place, number) => {
        const cells = chunk.methods[at].map((_, method) => {
          const [value, error] = [chunk.values, chunk.errors].map((of) => of[method][number][at]);
          const digits = chunk.digits[method][at];
          return make("td", { class: "r" }, value === null ? "–" : signed(value, digits), error === null ? "" : ` ±\u2009${decimal(error, digits)}`);
        });
        const rank = make("td", { class: "rank" }, chunk.ranks[at][number]);
        return make("tr", {}, rank, make("th", { scope: "row", dir: "auto" }, ...marked(words[place])), ...cells);
      });
      const head = make("tr", {}, make("th", { scope: "col", class: "rank" }, {{ script_text("rank") }}), make("th", { scope: "col" }, {{ script_text("feature") }}), ...heads);
      const values = make("table", { class: "values" }, make("thead", {}, head), make("tbody", {}, ...body));
      const title = make("h3", { class: "id", id: `${row.anchor}-title` }, make("a", { href: `#${row.anchor}`, title: row.id }, row.name));
      const given = row.labels.length ? [make("span", {}, {{ script_text("labelled ") }}, make("b", {}, ...row.labels.flatMap((label, number) => [number ? ", " : "", make("bdi", {}, label)])))] : [];
      return make(
        "article",
        { class: "instance", id: row.anchor, tabindex: -1, "aria-labelledby": `${row.anchor}-title` },
        make("header", {}, title, make("span", {}, {{ script_text("predicted ") }}, make("b", {}, row.shown || {{ script_text("no label") }})), ...given, make("span", { class: row.outcome.replace(" ", "-") }, {{ script_name("row.outcome", outcomes) }}), make("span", { class: "why" }, {{ script_text("chosen: {stratum}", stratum="row.stratum") }})),
        ...paragraphs,
        make("div", { class: "scroll", role: "group", "aria-label": {{ script_text("Values of the features") }}, tabindex: 0 }, values),
        make("p", { class: "small" }, {{ script_text("Values for “{label}”. All features, and what each method says of itself, are in audit.json.", label="chunk.targets[at]") }}),
      );
    };
    const textOf = async (row) => (await chunkOf(row)).texts[row.packed % ROWS_PER_CHUNK].join(" ");
    return { cardOf, textOf };
  };
