  // A review: an auditor judges each explained row, blind at first. While it lasts, nothing but the
  // review is in the document, so that no answer can be seen, searched or read out before the verdict.
  const VERDICTS = {
    correct: ["c", {{ script_text("Correct") }}],
    wrong_label: ["l", {{ script_text("Wrong label") }}],
    wrong_reason: ["w", {{ script_text("Right label, wrong reason") }}],
    ambiguous: ["a", {{ script_text("Ambiguous") }}],
    unsafe: ["u", {{ script_text("Unsafe") }}],
    skip: ["s", {{ script_text("Skip") }}],
  };
  // What can be said of a text without the answer, beside its label.
  const BLIND = ["ambiguous", "unsafe", "skip"];

  const review = ({ report, labels, rows }, load, resume) => {
    const panel = byId("review-panel").content.firstElementChild.cloneNode(true);
    const part = (name) => panel.querySelector(`[data-part="${name}"]`);
    const judged = {};
    let reviewer = "";
    let place = 0;
    let label = null;
    let revealed = false;
    let blind = true;
    let turns = 0;
    let reportNodes = [];

    const row = () => rows[place];
    const lines = () => judged[reviewer].lines;
    const seen = () => judged[reviewer].seen;
    const line = () => lines()[row().id];

    // What a reviewer judged, and the answers seen, are kept under that name, and never shown to another.
    const storageKey = () => `explain-audit review ${report} ${reviewer}`;
    const recall = () => {
      try {
        const kept = JSON.parse(localStorage.getItem(storageKey())) ?? {};
        return { lines: kept.lines ?? {}, seen: kept.seen ?? {} };
      } catch {
        return { lines: {}, seen: {} };
      }
    };
    const keep = () => {
      try {
        localStorage.setItem(storageKey(), JSON.stringify(judged[reviewer]));
      } catch {}
    };

    // The text alone: without highlights, and without what says how it was chosen or answered.
    const plainTexts = (of) =>
      [...of.card.querySelectorAll(".text, .part")].slice(0, of.paragraphs).map((paragraph) => {
        const plain = paragraph.cloneNode(true);
        for (const marked of plain.querySelectorAll("span, s")) marked.replaceWith(...marked.childNodes);
        return plain;
      });

    const save = (verdict) => {
      lines()[row().id] = {
        instance: row().id,
        text_sha256: row().text_sha256 || textHash(row().texts),
        report_sha256: report,
        reviewer,
        at: new Date().toISOString(),
        verdict,
        label,
        blinded: blind,
        reason: part("reason").value,
        note: part("note").value,
      };
      keep();
    };

    // An answer that was once shown without a verdict is no longer judged blind.
    const uncover = () => {
      revealed = true;
      seen()[row().id] = true;
      keep();
    };

    const judge = (verdict) => {
      save(verdict);
      uncover();
      show();
    };

    const judgeLabel = (own) => {
      label = own;
      judge(row().predicted.includes(own) ? "correct" : "wrong_label");
    };

    const choices = () => {
      const verdict = (name) => ({
        key: VERDICTS[name][0],
        text: VERDICTS[name][1],
        chosen: line()?.verdict === name,
        act: () => judge(name),
      });
      if (revealed) return Object.keys(VERDICTS).map(verdict);
      const own = labels.map(({ label, shown }, number) => ({
        key: number < 9 ? `${number + 1}` : "",
        text: shown,
        chosen: false,
        act: () => judgeLabel(label),
      }));
      return [...own, ...BLIND.map(verdict)];
    };

    const button = ({ key, text, chosen, act }) => {
      const element = make("button", { type: "button", "aria-pressed": chosen }, text);
      if (key) element.prepend(make("kbd", {}, key), " ");
      element.addEventListener("click", act);
      return element;
    };

    const show = () => {
      const number = Object.keys(lines()).length;
      part("place").textContent = {{ script_text("{row}: {n} of {all}, {judged} judged", row="row().name", n="place + 1", all="rows.length", judged="number") }};
      part("text").replaceChildren(...(revealed ? [] : plainTexts(row())));
      part("answer").replaceChildren(...(revealed ? [row().card] : []));
      const question = labels.length ? {{ script_text("Which label is right?") }} : {{ script_text("Can it be judged?") }};
      const own = labels.find((each) => each.label === label)?.shown;
      const verdict = own === undefined ? {{ script_text("Your verdict on the answer") }} : {{ script_text("You said “{label}”. Your verdict on the answer", label="own") }};
      part("question").textContent = revealed ? verdict : question;
      const all = choices();
      part("choices").replaceChildren(...all.map(button));
      part("reveal").hidden = revealed || labels.length > 0;
      keys.actions = { ...workKeys, ...Object.fromEntries(all.map(({ key, act }) => [key, act])) };
    };

    // A row that is still being unpacked is not judged: the row on show stays until it is there.
    const open = async (next) => {
      const turn = ++turns;
      await load(rows[next]);
      if (turn !== turns) return;
      place = next;
      label = line()?.label ?? null;
      blind = line()?.blinded ?? (part("blinded").checked && !seen()[row().id]);
      revealed = false;
      if (!blind || line()) uncover();
      part("reason").value = line()?.reason ?? "";
      part("note").value = line()?.note ?? "";
      part("start").hidden = true;
      part("work").hidden = false;
      show();
      part("place").focus();
    };

    const go = (by) => open((place + by + rows.length) % rows.length);

    const reveal = () => {
      if (!line()) blind = false;
      uncover();
      show();
    };

    const download = () => {
      const content = Object.values(lines()).map((each) => `${JSON.stringify(each)}\n`);
      const address = URL.createObjectURL(new Blob(content, { type: "application/jsonl" }));
      make("a", { href: address, download: "reviews.jsonl" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    };

    const begin = () => {
      reviewer = part("reviewer").value.trim();
      if (!reviewer) return part("reviewer").focus();
      judged[reviewer] ??= recall();
      open(Math.max(0, rows.findIndex((each) => !lines()[each.id])));
    };

    const boxes = (options) => make("p", { class: "boxes" }, ...options.flatMap((each) => ["☐ ", make("bdi", {}, each), "  "]));
    const words = (names) => names.map((name) => VERDICTS[name][1]);
    const printSheet = async () => {
      await Promise.all(rows.map(load));
      const own = [...labels.map(({ shown }) => shown), ...words(BLIND)];
      const questions = rows.map((each) =>
        make("article", {}, make("h2", {}, each.name), ...plainTexts(each), boxes(own)),
      );
      const answers = rows.map((each) =>
        make("li", {}, {{ script_text("{row}: {labels}", row="each.name", labels="each.shown || " ~ script_text("no label")) }}, boxes(words(Object.keys(VERDICTS)))),
      );
      const key = make("section", { class: "answers" }, make("h2", {}, {{ script_text("The answers, to be read last") }}));
      key.append(make("ul", {}, ...answers));
      part("sheet").replaceChildren(...questions, key);
      addEventListener("afterprint", () => part("sheet").replaceChildren(), { once: true });
      print();
    };

    const leave = () => {
      turns += 1;
      document.body.replaceChildren(...reportNodes);
      resume();
    };

    const workKeys = {
      n: () => go(1),
      Enter: () => go(1),
      p: () => go(-1),
      d: download,
      Escape: leave,
    };
    const acts = { next: () => go(1), before: () => go(-1), reveal, download, leave };
    for (const [name, act] of Object.entries({ ...acts, sheet_button: printSheet, leave_start: leave })) {
      part(name).addEventListener("click", act);
    }
    part("begin").addEventListener("click", begin);
    part("reviewer").addEventListener("keydown", (event) => event.key === "Enter" && begin());
    for (const name of ["reason", "note"]) {
      part(name).addEventListener("input", () => line() && save(line().verdict));
    }

    return () => {
      reportNodes = [...document.body.childNodes];
      document.body.replaceChildren(panel);
      part("start").hidden = false;
      part("work").hidden = true;
      part("reviewer").value = "";
      keys.actions = { Escape: leave };
      part("reviewer").focus();
    };
  };
