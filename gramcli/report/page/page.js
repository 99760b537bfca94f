"use strict";
// Sorts and filters every table of the page, and builds the one of queries from the data beside it.
// Text of others reaches the page as textContent and attributes only, never as markup.
(() => {
  const PER_PAGE = 50;
  const FILTERED_FROM = 12;
  const MOST_COLUMNS = 3;
  const NARROW = matchMedia("(max-width: 48rem)"); // as in the style: no column of answers
  const COLLATOR = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const NUMBER = /[-+\u2212]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?/i;

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  const counted = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

  // What is missing stands last, whichever way the others go.
  function ordered(entries, key, sign) {
    return entries
      .map((entry, place) => ({ entry, place, value: key(entry) }))
      .sort((x, y) => {
        if (x.value === null || y.value === null) return (x.value === null) - (y.value === null) || x.place - y.place;
        const found = typeof x.value === "string" ? COLLATOR.compare(x.value, y.value) : x.value - y.value;
        return sign * found || x.place - y.place;
      })
      .map((found) => found.entry);
  }

  function cellValue(cell, numeric) {
    const text = cell.textContent.trim();
    if (!text || text === "-") return null;
    if (!numeric) return text;
    const found = NUMBER.exec(text);
    if (!found) return null;
    const value = Number(found[0].replace(/,/g, "").replace("\u2212", "-"));
    return text.startsWith("<") ? value - 1e-12 : value;
  }

  // asc and desc in the order that a reader wants first, then as it was.
  function nextSort(now, numeric) {
    const turns = numeric ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    return turns[(turns.indexOf(now) + 1) % 3];
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const numeric = head.classList.contains("number");
      const name = head.textContent;
      head.replaceChildren(make("button", { type: "button" }, name));
      head.setAttribute("aria-sort", "none");
      head.firstChild.addEventListener("click", () => {
        const order = nextSort(head.getAttribute("aria-sort"), numeric);
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", order);
        table.classList.toggle("grouped", order === "none");
        const sign = order === "descending" ? -1 : 1;
        const rows = order === "none" ? original : ordered(original, (row) => cellValue(row.cells[column], numeric), sign);
        body.append(...rows);
      });
    });
    if (original.length > FILTERED_FROM) filterable(table, original);
  }

  function filterable(table, rows) {
    const said = make("span", { role: "status" });
    const words = make("input", { type: "search" });
    const title = table.caption ? table.caption.textContent : "table";
    const label = make("label", { class: "filter" }, "Filter ", make("span", { class: "hidden" }, title), words);
    words.addEventListener("input", () => {
      const wanted = words.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      said.textContent = wanted ? `${shown.toLocaleString("en")} of ${counted(rows.length, "row", "rows")}` : "";
    });
    table.parentElement.before(make("div", { class: "controls" }, label, said));
  }

  // A region that scrolls must be reached by the keyboard.
  function reachable(box) {
    const title = box.querySelector("caption");
    const name = title ? title.textContent : box.getAttribute("aria-label") || "table";
    const check = () => {
      const wide = box.scrollWidth > box.clientWidth + 1;
      if (wide) {
        box.tabIndex = 0;
        if (!box.hasAttribute("role")) { box.setAttribute("role", "region"); box.setAttribute("aria-label", name); }
      } else box.removeAttribute("tabindex");
    };
    check();
    addEventListener("resize", check);
  }

  const SUBSETS = {
    all: ["all", () => true],
    changed: ["with different ranks", (row) => row.gain],
    gained: ["gained by the contender", (row) => row.gain > 0],
    lost: ["lost by the contender", (row) => row.gain < 0],
    missed: ["contender misses at 1", (row) => row.b !== null && row.b > 1],
    missed10: ["contender misses at 10", (row) => row.b !== null && row.b > 10],
    unanswered: ["no right answer", (row) => row.b === null],
  };

  function explorer(root, data) {
    const state = { task: 0, a: 0, b: 0, words: "", subset: "all", column: "", order: "none", page: 0, open: new Set() };
    const task = () => data.tasks[state.task];
    const item = (number) => {
      const [id, label, split, captions, picture] = data.items[number];
      return { id, label, split, captions, picture: picture < 0 ? null : data.pictures[picture] };
    };
    // A list that an earlier contender has too is written as the place of that one.
    function bestOf(one, query, place) {
      const found = one.best[query][place];
      return typeof found === "number" ? one.best[query][found] : found;
    }
    const paired = () => task().contenders.length > 1;
    const body = make("tbody");
    const head = make("tr");
    const count = make("p", { class: "count", role: "status" });
    const pages = make("nav", { class: "pages", "aria-label": "Pages of the table" });
    // Of many contenders the table has room for two; the others stand in the details.
    const columns = () => (task().contenders.length > MOST_COLUMNS && state.a !== state.b
      ? [state.a, state.b] : task().contenders.map((_, place) => place).slice(0, MOST_COLUMNS));
    const letters = () => (paired() ? { a: task().contenders[state.a], b: task().contenders[state.b] } : { b: task().contenders[0] });

    function question(one, query) {
      const found = item(one.queries[query]);
      const text = one.asks ? found.captions[one.captions[query]] : found.captions[0];
      return { found, text: text || found.id };
    }

    function rowsOf(one) {
      return one.queries.map((_, query) => {
        const ranks = one.ranks[query];
        const [a, b] = [ranks[state.a], ranks[state.b]];
        const { found, text } = question(one, query);
        const gain = paired() && a !== null && b !== null ? a - b : null;
        return { query, ranks, a, b, gain, text, found, searched: [text, found.id, found.label || "", ...found.captions].join("\n").toLowerCase() };
      });
    }

    const keys = {
      query: (row) => row.text,
      gain: (row) => row.gain,
      change: (row) => (row.gain === null ? null : Math.abs(Math.log(row.a) - Math.log(row.b))),
    };
    const keyOf = (column) => keys[column] || ((row) => row.ranks[Number(column)]);
    let rows = [];

    function shownRows() {
      const [, wanted] = SUBSETS[state.subset];
      const found = rows.filter((row) => wanted(row) && row.searched.includes(state.words));
      return state.order === "none" ? found : ordered(found, keyOf(state.column), state.order === "descending" ? -1 : 1);
    }

    function heading(column, name, kind, numeric, hint) {
      const sorted = state.column === column ? state.order : "none";
      const turn = () => {
        state.order = nextSort(sorted, numeric);
        state.column = column;
        state.page = 0;
        draw();
        head.querySelector(`[data-column="${column}"]`).focus();
      };
      const button = make("button", { type: "button", "data-column": column, title: hint, onclick: turn }, name);
      return make("th", { scope: "col", class: `${kind}${numeric ? " number" : ""}`, "aria-sort": sorted }, button);
    }

    const rankText = (rank) => (rank === null ? "-" : String(rank));
    function gainCell(gain) {
      const text = gain === null ? "-" : gain > 0 ? `+${gain}` : gain < 0 ? `\u2212${-gain}` : "0";
      return make("td", { class: `gain number${gain > 0 ? " gained" : gain < 0 ? " lost" : ""}` }, text);
    }

    function answerCell(one, row) {
      const best = bestOf(one, row.query, state.b);
      const lines = best.slice(0, 3).map((number) => {
        const right = number === one.queries[row.query];
        const other = item(number);
        return make("span", { title: other.captions[0] || null, class: right ? "right" : null }, `${right ? "\u2713" : ""}${other.id}`);
      });
      return make("td", { class: "answers" }, make("div", {}, ...lines));
    }

    function picture(one, what) {
      const found = [];
      if (one.frames) {
        const n = one.shown === 1 ? "1 picture" : `${one.shown} frames`;
        const image = make("img", { src: one.frames, alt: `${n} of ${what}`, width: 120 * one.shown, height: 90 });
        found.push(make("figure", {}, image, make("figcaption", {}, one.length ? `${n}, ${one.length}` : n)));
      }
      if (one.sound) {
        const image = make("img", { src: one.sound, alt: `Spectrogram of the sound of ${what}`, width: 240, height: 72 });
        found.push(make("figure", {}, image, make("figcaption", {}, `sound, ${one.seconds}; time to the right, 0 to 8 kHz upwards (mel)`)));
      }
      for (const reason of one.why) found.push(make("p", { class: "soft" }, `Not shown: ${reason}`));
      return found;
    }

    // Contenders that answer alike share one list.
    function alike(one, query) {
      const found = new Map();
      one.contenders.forEach((_, place) => {
        const key = JSON.stringify([one.ranks[query][place], bestOf(one, query, place)]);
        found.set(key, [...(found.get(key) || []), place]);
      });
      return [...found.values()];
    }

    function neighbours(one, query, places) {
      const rank = one.ranks[query][places[0]];
      const best = bestOf(one, query, places[0]);
      const lines = best.map((number, k) => {
        const other = item(number);
        const right = number === one.queries[query];
        const thumb = other.picture && other.picture.frames
          ? make("img", { class: "thumb", src: other.picture.frames, alt: "" }) : make("span");
        const words = make("span", { class: "words" }, other.captions[0] ? `${other.captions[0]} ` : "", make("span", { class: "soft" }, other.id));
        return make("li", { class: right ? "right" : null }, make("span", { class: "place" }, `${k + 1}`), thumb, words);
      });
      const where = rank === null ? "nothing in the gallery is right" : `right answer at rank ${rankText(rank)} of ${one.gallery.toLocaleString("en")}`;
      const list = lines.length ? make("ol", {}, ...lines) : make("p", { class: "soft" }, "Its answers are not recorded.");
      return make("div", {}, make("h3", {}, places.map((place) => one.contenders[place]).join(", ")), make("p", { class: "soft" }, where), list);
    }

    function detail(one, row, width) {
      const { found, text } = row;
      const number = one.asks ? one.captions[row.query] : 0;
      const facts = [found.id, found.label && `label ${found.label}`, found.split && `split ${found.split}`].filter(Boolean).join(" \u00b7 ");
      const others = found.captions.filter((caption, k) => k !== number && caption);
      const left = make("div", {}, make("p", { class: "asked" }, text), make("p", { class: "soft" }, facts));
      if (others.length) left.append(make("p", { class: "soft" }, one.asks ? "Its other captions" : "Captions"), make("ul", {}, ...others.map((caption) => make("li", {}, caption))));
      if (found.picture) left.append(...picture(found.picture, found.id));
      const lists = make("div", { class: "lists" }, ...alike(one, row.query).map((places) => neighbours(one, row.query, places)));
      return make("tr", { class: "detail", id: `detail-${row.query}` }, make("td", { colspan: width }, make("div", { class: "item" }, left, lists)));
    }

    function toggle(row, focus) {
      if (!state.open.delete(row.query)) state.open.add(row.query);
      draw();
      if (focus) body.querySelector(`[data-query="${row.query}"]`).focus();
    }

    function rowOf(one, row, width) {
      const open = state.open.has(row.query);
      const button = make("button", {
        type: "button", class: "open", "aria-expanded": String(open), "aria-controls": open ? `detail-${row.query}` : null,
        "data-query": row.query,
      }, row.text);
      const ranks = columns().map((place) => make("td", { class: "number rank" }, rankText(row.ranks[place])));
      const cells = [make("td", {}, button), ...ranks];
      if (paired()) cells.push(gainCell(row.gain));
      cells.push(answerCell(one, row));
      const line = make("tr", { class: "row", onclick: (event) => { if (!getSelection().toString()) toggle(row, event.target === button); } }, ...cells);
      return open ? [line, detail(one, row, width)] : [line];
    }

    function draw() {
      const one = task();
      const found = shownRows();
      const last = Math.max(0, Math.ceil(found.length / PER_PAGE) - 1);
      state.page = Math.min(state.page, last);
      const from = state.page * PER_PAGE;
      const part = found.slice(from, from + PER_PAGE);
      const { a, b } = letters();
      const heads = [heading("query", one.asks ? "caption" : "item", "query", false)];
      for (const place of columns()) {
        const name = one.contenders[place];
        heads.push(heading(String(place), one.short[place], "rank", true, `Rank of the right answer under ${name}`));
      }
      if (paired()) heads.push(heading("gain", "gained", "gain", true, `Places that ${b} gains over ${a}`));
      heads.push(make("th", { scope: "col", class: "answers" }, `first answers of ${one.short[state.b]}`));
      head.replaceChildren(...heads);
      body.replaceChildren(...part.flatMap((row) => rowOf(one, row, heads.length - (NARROW.matches ? 1 : 0))));
      const range = found.length > PER_PAGE ? `${(from + 1).toLocaleString("en")} to ${(from + part.length).toLocaleString("en")} of ` : "";
      const first = state.column === "change" && state.order === "descending" ? "; first those whose rank changed by the largest factor" : "";
      const queries = counted(found.length, "query", "queries");
      count.textContent = `${range}${queries}, ranks among ${counted(one.gallery, "candidate", "candidates")}${first}`;
      const go = (step) => () => { state.page += step; draw(); };
      const previous = make("button", { type: "button", onclick: go(-1), disabled: state.page === 0 }, "Previous");
      const next = make("button", { type: "button", onclick: go(1), disabled: state.page === last }, "Next");
      pages.replaceChildren(...(last ? [previous, `page ${state.page + 1} of ${last + 1}`, next] : []));
    }

    function choice(name, entries, value, changed, kind) {
      const box = make("select", { onchange: () => changed(box.value) });
      entries.forEach(([key, text]) => box.append(make("option", { value: key, selected: key === value }, text)));
      return make("label", { class: kind }, name, box);
    }

    function controls() {
      const one = task();
      const names = one.contenders.map((name, place) => [String(place), name]);
      const subsets = Object.entries(SUBSETS).filter(([key]) => paired() || !["changed", "gained", "lost"].includes(key));
      const named = (text) => (paired() ? text : text.replace("contender misses", "missed"));
      const words = make("input", { type: "search", value: state.words, placeholder: "caption, id or label" });
      words.addEventListener("input", () => { state.words = words.value.trim().toLowerCase(); state.page = 0; draw(); });
      const set = (name) => (value) => { state[name] = Number(value); rows = rowsOf(task()); state.page = 0; draw(); };
      const parts = [
        choice("Task", data.tasks.map((each, k) => [String(k), each.task]), String(state.task), (value) => begin(Number(value))),
        paired() ? choice("Baseline", names, String(state.a), set("a")) : null,
        paired() ? choice("Contender", names, String(state.b), set("b")) : null,
        choice("Show", subsets.map(([key, [text]]) => [key, named(text)]), state.subset, (value) => { state.subset = value; state.page = 0; draw(); }),
        make("label", { class: "wide" }, "Search", words),
      ];
      return parts.filter(Boolean);
    }

    const bar = make("div", { class: "controls", role: "search", "aria-label": "Queries" });
    function begin(number) {
      Object.assign(state, { task: number, a: data.tasks[number].a, b: data.tasks[number].b, subset: "all", page: 0 });
      Object.assign(state, paired() ? { column: "change", order: "descending" } : { column: "0", order: "descending" });
      state.open.clear();
      rows = rowsOf(task());
      const chosen = document.activeElement && bar.contains(document.activeElement);
      bar.replaceChildren(...controls());
      if (chosen) bar.querySelector("select").focus();
      draw();
    }

    body.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !event.target.classList.contains("open")) return;
      const all = [...body.querySelectorAll(".open")];
      const next = all[all.indexOf(event.target) + step];
      if (next) { next.focus(); event.preventDefault(); }
    });
    const title = make("caption", { class: "hidden" }, "Queries with the rank of their right answer");
    root.append(bar, count, make("div", {}, make("table", { class: "queries" }, title, make("thead", {}, head), body)), pages);
    NARROW.addEventListener("change", draw);
    begin(data.first);
  }

  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  document.querySelectorAll(".scroll, .drawing").forEach(reachable);
  const data = document.getElementById("data");
  if (data) explorer(document.getElementById("explorer"), JSON.parse(data.textContent));
})();
