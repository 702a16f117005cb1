"use strict";
(() => {
  const POLL_MS = 500, FRAME_MS = 60, SHOWN_ARRIVALS = 28, CHART_SECONDS = 60, RATE_SECONDS = 5;
  const SCALES_SECONDS = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600];
  const at = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  let paused = false;
  let settings = {};
  let samples = [];
  let report = null;
  let clockOffset = 0;

  const serverNow = () => Date.now() / 1000 + clockOffset;
  const call = async (path, method = "GET", body) => {
    const response = await fetch(path, {
      method,
      cache: "no-store",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const found = text ? JSON.parse(text) : null;
    if (!response.ok) throw Object.assign(new Error(found && found.detail || `status ${response.status}`), { problem: found });
    return found;
  };

  // The form.
  const asText = (value) => value === null || value === undefined ? "" : String(value);
  const routesAsText = () => settings.routes && settings.routes.length ? JSON.stringify(settings.routes, null, 1) : "";
  const inForce = (name) => name === "routes" ? routesAsText() : asText(settings[name]);
  const inputs = () => [...at("settings").querySelectorAll("[name]")];

  const makeInput = (knob) => {
    let input;
    if (knob.choices.length) {
      input = make("select");
      input.append(new Option("not set", ""), ...knob.choices.map((choice) => new Option(choice, choice)));
    } else {
      input = make(knob.name === "fields" || knob.name === "body" ? "textarea" : "input");
      if (input.tagName === "TEXTAREA") input.rows = 1;
      input.placeholder = knob.default === null ? `e.g. ${knob.example}` : knob.default;
      input.spellcheck = false;
    }
    input.name = knob.name;
    return input;
  };

  const makeGroup = (name, knobs, faults) => {
    const group = make("details");
    group.open = name !== "What is sent";
    const summary = make("summary", "", name + " ");
    summary.append(make("span", "set-count"));
    group.append(summary, ...knobs.map((knob) => {
      const label = make("label", "knob");
      const meanings = knob.name === "fault" ? faults.map((fault) => `${fault.name}: ${fault.meaning}`).join("\n") : "";
      label.title = meanings || `${knob.parameter} or ${knob.field}`;
      label.append(make("span", "name", knob.name), makeInput(knob), make("span", "hint", knob.meaning));
      return label;
    }));
    return group;
  };

  const markForm = () => {
    let changes = 0;
    for (const input of inputs()) {
      const changed = input.value !== inForce(input.name);
      changes += changed;
      input.parentElement.classList.toggle("changed", changed);
      // The mock writes a latency of 0.05 as fixed:0.05.
      const isDefault = input.dataset.default === inForce(input.name).replace(/^fixed:/, "");
      input.parentElement.classList.toggle("set", !isDefault);
    }
    for (const group of at("settings").querySelectorAll("details")) {
      const set = group.querySelectorAll(".knob.set").length;
      group.querySelector(".set-count").textContent = group.id === "routes_group"
        ? (settings.routes && settings.routes.length ? `${settings.routes.length}` : "")
        : set ? `${set} set` : "";
    }
    at("apply").disabled = !changes;
    at("apply").textContent = changes ? `Apply ${changes}` : "Apply";
  };

  const showSettings = (found, keepEdits) => {
    const edited = keepEdits ? inputs().filter((input) => input.value !== inForce(input.name)) : [];
    settings = found;
    for (const input of inputs()) {
      if (!edited.includes(input)) input.value = inForce(input.name);
    }
    at("limit").textContent = settings.limit === null ? "none" : settings.limit;
    markForm();
  };

  const showProblem = (error) => {
    at("settings_problem").hidden = !error;
    at("settings_problem").textContent = error ? error.message : "";
    const parameter = error && error.problem && error.problem.parameter || "";
    for (const input of inputs()) {
      input.parentElement.classList.toggle("wrong", parameter.split(/[[.]/)[0] === input.name);
    }
  };

  const apply = async () => {
    const changes = {};
    try {
      for (const input of inputs()) {
        if (input.value === inForce(input.name)) continue;
        const text = input.value;
        changes[input.name] = text.trim() === "" ? null : input.name === "routes" ? JSON.parse(text) : text;
      }
      showSettings(await call("/__admin/settings", "PATCH", changes), false);
      showProblem(null);
    } catch (error) {
      showProblem(error);
    }
  };

  // Counts and the chart.
  const area = (points) => {
    if (!points.length) return "";
    const [first, last] = [points[0], points[points.length - 1]];
    return `M${first[0].toFixed(1)},100L${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}L${last[0].toFixed(1)},100Z`;
  };
  const drawChart = () => {
    const now = serverNow();
    samples = samples.filter((sample) => now - sample.now < CHART_SECONDS + 2);
    const top = Math.max(1, settings.limit && settings.limit < 10000 ? settings.limit : 1, ...samples.map((sample) => sample.in_flight));
    const spot = (sample, value) => [600 * (1 - (now - sample.now) / CHART_SECONDS), 100 - 92 * value / top];
    at("chart_in_flight").setAttribute("d", area(samples.map((sample) => spot(sample, sample.in_flight))));
    at("chart_working").setAttribute("d", area(samples.map((sample) => spot(sample, sample.working))));
    const limitY = settings.limit && settings.limit <= top ? 100 - 92 * settings.limit / top : null;
    at("chart_limit").setAttribute("d", limitY === null ? "" : `M0,${limitY}L600,${limitY}`);
    at("chart_top").textContent = `top ${top}`;
  };
  const showCounts = () => {
    for (const name of ["in_flight", "max_in_flight", "working", "max_working", "queued", "rejected", "total", "dropped"]) {
      at(name).textContent = report[name].toLocaleString("en");
    }
    const before = samples.find((sample) => report.now - sample.now <= RATE_SECONDS) || report;
    const seconds = report.now - before.now;
    const perSecond = seconds > 0.2 ? Math.max(0, report.total - before.total) / seconds : 0;
    at("rate").textContent = perSecond >= 10 ? Math.round(perSecond).toLocaleString("en") : perSecond.toFixed(1);
  };

  // The arrivals.
  const duration = (seconds) => seconds < 1 ? `${Math.round(seconds * 1000)} ms` : seconds < 60 ? `${seconds.toFixed(2)} s` : `${(seconds / 60).toFixed(1)} min`;
  const kindOf = (arrival) => {
    if (arrival.finished_at === null) return "running";
    if (arrival.fault) return "struck";
    if (arrival.status === null) return "left";
    return arrival.status < 300 ? "s2" : arrival.status < 400 ? "s3" : arrival.status < 500 ? "s4" : "s5";
  };
  const resultOf = (arrival) => {
    if (arrival.finished_at === null) return arrival.work_started_at === null ? "waits" : arrival.fault || "working";
    if (arrival.fault) return arrival.fault + (arrival.status ? ` ${arrival.status}` : "");
    return arrival.status === null ? "client left" : arrival.status;
  };
  const makeRow = (arrival) => {
    const row = make("li", `row ${kindOf(arrival)}`);
    const request = make("span", "request");
    request.append(make("b", "", arrival.method), arrival.path, make("span", "query", arrival.query ? `?${arrival.query}` : ""));
    request.title = arrival.request_id ? `request id ${arrival.request_id}` : "";
    const track = make("span", "track");
    track.append(make("span", "bar waits"), make("span", "bar work"));
    row.append(make("span", "sequence", `#${arrival.sequence}`), request, make("span", "result", resultOf(arrival)), track, make("span", "took"));
    return { row, arrival, waits: track.children[0], work: track.children[1], took: row.lastChild };
  };
  let rows = [];
  const placeRows = () => {
    if (!rows.length) return;
    const now = serverNow();
    const oldest = rows[rows.length - 1].arrival.arrived_at;
    const scale = SCALES_SECONDS.find((seconds) => seconds >= (now - oldest) * 0.98) || 3600;
    at("scale_from").textContent = `${duration(scale)} ago`;
    at("scale_middle").textContent = `${duration(scale / 2)} ago`;
    const place = (bar, from, to) => {
      const left = Math.max(0, 1 - (now - from) / scale);
      bar.style.left = `${(left * 100).toFixed(2)}%`;
      bar.style.width = `${(Math.max(0, 1 - (now - to) / scale - left) * 100).toFixed(2)}%`;
    };
    for (const { arrival, waits, work, took } of rows) {
      const end = arrival.finished_at === null ? Math.max(now, arrival.arrived_at) : arrival.finished_at;
      const start = arrival.work_started_at === null ? end : arrival.work_started_at;
      place(waits, arrival.arrived_at, start);
      place(work, start, end);
      waits.hidden = start - arrival.arrived_at < 0.0005;
      work.hidden = arrival.work_started_at === null && arrival.status === null;
      took.textContent = duration(end - arrival.arrived_at);
    }
  };
  const showRows = () => {
    rows = report.arrivals.slice().reverse().map(makeRow);
    at("rows").replaceChildren(...rows.map(({ row }) => row));
    at("nothing").hidden = rows.length > 0;
    placeRows();
  };

  // The rounds.
  const setLiveness = (className, text) => {
    at("liveness").className = `liveness ${className}`;
    at("liveness").textContent = text;
  };
  const look = async () => {
    if (paused || document.hidden) return;
    try {
      report = await call(`/__admin/arrivals?last=${SHOWN_ARRIVALS}`);
      clockOffset = report.now - Date.now() / 1000;
      if (samples.length && report.total < samples[samples.length - 1].total) samples = [];
      samples.push({ now: report.now, total: report.total, in_flight: report.in_flight, working: report.working });
      showCounts();
      showRows();
      setLiveness("live", `live on ${location.host}`);
    } catch (error) {
      setLiveness("lost", "the mock does not answer");
    }
  };
  const lookAtSettings = async () => {
    if (paused || document.hidden) return;
    try {
      showSettings(await call("/__admin/settings"), true);
    } catch (error) { /* look() says so. */ }
  };
  const again = (work, milliseconds) => {
    const round = async () => { await work(); setTimeout(round, milliseconds); };
    round();
  };

  const start = async () => {
    at("try").textContent = `curl ${location.origin}/any/path`;
    const { knobs, faults } = await call("/__admin/knobs");
    const groups = [...new Set(knobs.map((knob) => knob.group))];
    at("groups").append(...groups.map((group) => makeGroup(group, knobs.filter((knob) => knob.group === group), faults)));
    for (const input of inputs()) {
      const knob = knobs.find((found) => found.name === input.name);
      input.dataset.default = asText(knob && knob.default);
    }
    at("settings").addEventListener("input", () => { showProblem(null); markForm(); });
    at("settings").addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    at("restore").addEventListener("click", async () => { showSettings(await call("/__admin/settings", "DELETE"), false); showProblem(null); });
    at("forget").addEventListener("click", async () => { await call("/__admin/arrivals", "DELETE"); look(); });
    at("reset").addEventListener("click", async () => { await call("/__admin/reset", "POST"); showSettings(await call("/__admin/settings"), false); look(); });
    at("pause").addEventListener("click", () => {
      paused = !paused;
      at("pause").textContent = paused ? "Go on" : "Pause";
      if (paused) setLiveness("", "paused"); else look();
    });
    again(lookAtSettings, 3 * POLL_MS);
    again(look, POLL_MS);
    setInterval(() => { if (!paused && !document.hidden) { placeRows(); drawChart(); } }, FRAME_MS);
  };
  start().catch((error) => setLiveness("lost", error.message));
})();
