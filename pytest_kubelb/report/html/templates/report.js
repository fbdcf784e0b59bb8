"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dialog = document.getElementById("runs");
  const body = document.getElementById("runs-body");
  const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const shown = (value) => (value === null || value === undefined ? "-" : grouped.format(value));
  const time = (us) => {
    if (us === null) return "-";
    if (us < 1000) return `${us} µs`;
    return us < 1e6 ? `${(us / 1000).toFixed(us < 1e5 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(2)} s`;
  };
  const clock = (started) =>
    typeof started === "number" ? new Date(started * 1000).toISOString().slice(0, 19).replace("T", " ") : started;

  /* The runs of a point, in a dialog. */
  const latency = data.percentiles ? ["latency p50", "p99"] : ["mean latency", "longest"];
  const headings = ["run", "started, UTC", "wall time", "req/s", ...latency, "socket errors", "validity"];
  const classOf = (column) => (column === 7 ? "long" : column === 1 ? "" : "n");
  const runsOf = (point) => {
    const part = document.createDocumentFragment();
    part.append(make("h3", point.name), make("p", point.said));
    const scroll = make("div", null, { class: "scroll", role: "region", tabindex: "0", "aria-label": `Runs of ${point.name}` });
    const table = make("table");
    const head = make("tr");
    headings.forEach((text, column) => head.append(make("th", text, { scope: "col", class: classOf(column) })));
    const rows = make("tbody");
    const passes = new Set(point.runs.map(([pass]) => pass)).size > 1;
    for (const [pass, run, started, wall, rps, validity, middle, late, errors, reason] of point.runs) {
      const word = data.validities[validity];
      const told = reason === null ? word : `${word}: ${data.reasons[reason]}`;
      const row = make("tr", null, word === "valid" ? {} : { class: "odd-run" });
      [passes ? `pass ${pass}, ${run}` : run, clock(started), `${shown(wall)} s`, shown(rps), time(middle), time(late), shown(errors), told]
        .forEach((text, column) => row.append(make("td", text, { class: classOf(column) })));
      rows.append(row);
    }
    const thead = make("thead");
    thead.append(head);
    table.append(thead, rows);
    scroll.append(table);
    part.append(scroll);
    return part;
  };
  const show = (element) => {
    const points = element.dataset.p.split(" ").map((index) => data.points[Number(index)]);
    body.replaceChildren(...points.map(runsOf));
    dialog.showModal();
  };
  document.getElementById("runs-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-p]");
    if (chosen) show(chosen);
  });

  /* One stop of the tab key for each picture; the arrow keys go from point to point. */
  for (const chart of document.querySelectorAll("svg.chart")) {
    const first = chart.querySelector(".pt");
    if (first) first.setAttribute("tabindex", "0");
  }
  const move = (from, to) => {
    if (!to) return;
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  };
  document.addEventListener("keydown", (event) => {
    const point = event.target.closest ? event.target.closest("svg .pt") : null;
    if (!point) return;
    const all = [...point.closest("svg").querySelectorAll(".pt")];
    const at = all.indexOf(point);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); move(point, all[to]); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(point); }
  });

  /* Sorting: what is not known stays last. */
  const status = document.getElementById("said");
  const keyOf = (cell, number) => {
    const text = cell.dataset.v ?? cell.textContent;
    return number ? (cell.dataset.v === undefined ? NaN : Number(text)) : text;
  };
  const compare = (a, b, number, way) => {
    if (!number) return way * a.localeCompare(b, "en", { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return way * (a - b);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...table.tBodies[0].rows];
      const number = rows.some((row) => row.cells[column].dataset.v !== undefined);
      const keyed = rows.map((row) => [keyOf(row.cells[column], number), row]);
      keyed.sort(([a], [b]) => compare(a, b, number, way));
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      table.tBodies[0].append(...keyed.map(([, row]) => row));
      status.textContent = `Sorted by ${head.textContent}, ${way === 1 ? "ascending" : "descending"}`;
    }));
  }

  /* Heat maps. */
  const select = document.getElementById("heat-point");
  const place = document.getElementById("heat");
  const largest = (tables) => Math.max(1, ...tables.flatMap((table) => table.rows.flatMap(([, values]) => values)));
  const heatTable = (table, host, when, most) => {
    const caption = `${table.title} of ${host}, ${table.unit}${when}`;
    const scroll = make("div", null, { class: "scroll", role: "region", tabindex: "0", "aria-label": caption });
    const element = make("table", null, { class: "heat" });
    element.append(make("caption", caption));
    const head = make("tr");
    head.append(make("th", "CPU", { scope: "col" }), ...table.cpus.map((cpu) => make("th", cpu, { scope: "col", class: "n" })));
    const thead = make("thead");
    thead.append(head);
    const rows = make("tbody");
    for (const [name, values] of table.rows) {
      const row = make("tr");
      row.append(make("th", name, { scope: "row" }));
      for (const value of values) {
        const heat = name === "%idle" ? 0 : Math.ceil(Math.min(value / most, 1) * 8);
        row.append(make("td", table.unit === "%" ? value.toFixed(1) : shown(value), { class: `n h${heat}` }));
      }
      rows.append(row);
    }
    element.append(thead, rows);
    scroll.append(element);
    return scroll;
  };
  const heat = (index) => {
    const point = data.heat.points[index];
    const before = point.hosts.some((each) => each.before.length) ? " Without load: before the first run under its tuning." : " What the CPUs did without load was not recorded.";
    place.replaceChildren(make("p", `Run ${point.run} of ${point.name}.${before}`, { class: "note" }), ...point.hosts.map((each) => {
      const part = make("section");
      part.append(make("h3", each.host));
      const both = [...each.before, ...each.during];
      const most = (title) => largest(both.filter((table) => table.title === title));
      for (const [tables, when] of [[each.before, ", without load"], [each.during, each.before.length ? ", during the run" : ""]]) {
        const row = make("div", null, { class: "tables" });
        row.append(...tables.map((table) => heatTable(table, each.host, when, table.unit === "%" ? 100 : most(table.title))));
        part.append(row);
      }
      return part;
    }));
    if (data.heat.left_out) {
      place.append(make("p", `${grouped.format(data.heat.left_out)} more points have evidence, for which this file has no room.`, { class: "note" }));
    }
  };
  if (select && data.heat.points.length) {
    data.heat.points.forEach((point, index) => select.append(make("option", point.name, { value: index })));
    select.addEventListener("change", () => heat(Number(select.value)));
    select.value = String(data.heat.first);
    heat(data.heat.first);
  }

  /* On paper everything is open. */
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  document.documentElement.dataset.ready = "yes";
})();
