"use strict";
// Everything shown is made of text nodes: nothing that AWS or a file says is ever read as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const PAGE = 100; // changes shown before more are requested
  const NAMED = 40; // accounts named before all are requested
  const ACTIONS = ["delete", "replace", "update", "adopt", "create", "cosmetic"];
  const GLYPHS = { stop: "!", unreadable: "?", hand: "▲", both: "◆", unknown: "●", widens: "▲", delete: "−", replace: "±", update: "~", adopt: "→", create: "+", cosmetic: "≈", accepted: "=", pending: "…", same: "✓", skipped: "·" };
  const WORDS = { stop: "blocked by a finding", unreadable: "could not be read", widens: "access widens", delete: "deletes", replace: "replaces", update: "updates", adopt: "adopts", create: "creates", cosmetic: "spelling only", same: "as desired", skipped: "skipped", ...data.standings };
  // A page about drift speaks of what differs and of who moved, one about a plan of what is done.
  const isDrift = data.view === "drift";
  const NOUN = isDrift ? "difference" : "change";
  const RANK = Object.keys(GLYPHS);

  const h = (tag, props, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (typeof value === "function") node.addEventListener(name, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const many = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
  // What stands in backticks is code; one without its partner is a character like others.
  const prose = (text) => {
    const parts = text.split("`");
    return h("p", {}, ...(parts.length % 2 ? parts.map((part, n) => (n % 2 ? h("code", {}, part) : part)) : [text]));
  };
  const unitName = (path) => path || "Root";
  const within = (path, unit) => unit === "" || path === unit || path.startsWith(unit + "/");

  // What stands where.
  const accounts = data.accounts.map((account, at) => ({ ...account, at, changes: [], state: account.status === "read" ? "same" : account.status }));
  const worse = (account, state) => {
    if (RANK.indexOf(state) < RANK.indexOf(account.state)) account.state = state;
  };
  data.changes.forEach((change) => {
    change.key = `${change.kind}/${change.name}`;
    change.lower = change.name.toLowerCase();
    change.state = change.standing || change.action;
    for (const at of change.accounts) {
      accounts[at].changes.push(change);
      worse(accounts[at], change.widens && !change.standing ? "widens" : change.state);
    }
  });
  data.findings.forEach((finding) => {
    finding.key = finding.name === null ? null : `${finding.kind}/${finding.name}`;
    finding.set = new Set(finding.accounts);
    if (finding.weight === "stop") for (const at of finding.accounts) worse(accounts[at], "stop");
  });

  // The filter, and what it leaves.
  const filter = { account: "", ou: "*", role: "", action: "", standing: "", finding: "" };
  let fits = [];
  const fitsAccount = (account) => {
    const wanted = filter.account.trim().toLowerCase();
    return (filter.ou === "*" || within(account.ou, filter.ou)) &&
      (!wanted || account.id.includes(wanted) || account.name.toLowerCase().includes(wanted) || `${account.name} (${account.id})`.toLowerCase() === wanted);
  };
  const isNarrowed = () => filter.account.trim() !== "" || filter.ou !== "*";
  const isPicky = () => Boolean(filter.role.trim() || filter.action || filter.standing || filter.finding);
  const concerns = (finding, change) => finding.key === null || finding.key === change.key;
  const found = () => data.findings.filter((finding) => finding.code === filter.finding);
  const fitsChange = (change) => {
    const role = filter.role.trim().toLowerCase();
    if (role && !change.lower.includes(role)) return [];
    if (filter.action === "widens" ? !change.widens : filter.action && change.action !== filter.action) return [];
    if (filter.standing && change.standing !== filter.standing) return [];
    let at = isNarrowed() ? change.accounts.filter((place) => fits[place]) : change.accounts;
    if (filter.finding) {
      const about = found().filter((finding) => concerns(finding, change));
      const everywhere = about.some((finding) => finding.accounts.length === 0);
      if (!everywhere) at = at.filter((place) => about.some((finding) => finding.set.has(place)));
    }
    return at;
  };

  // Accounts as buttons that narrow the page.
  const only = (account) => {
    const value = `${account.name} (${account.id})`;
    $("f-account").value = filter.account === value ? "" : value;
    apply();
  };
  const accountList = (places, first) => {
    const list = h("ul", { class: "accounts" });
    const add = (some) => list.append(...some.map((at) => h("li", {}, h("button", { type: "button", click: () => only(accounts[at]) }, accounts[at].name + " ", h("small", {}, accounts[at].id)))));
    add(places.slice(0, first));
    if (places.length > first) {
      const rest = h("li", {}, h("button", { type: "button", click: () => { rest.remove(); add(places.slice(first)); } }, `+ ${places.length - first} more`));
      list.append(rest);
    }
    return list;
  };

  // The organization.
  const tiles = [];
  const glyph = (state) => h("span", { class: `glyph s-${state}`, "aria-hidden": "true" }, GLYPHS[state]);
  const tile = (account, named) => {
    const states = {};
    for (const change of account.changes) states[change.state] = (states[change.state] || 0) + 1;
    const counts = Object.entries(states).map(([state, n]) => `${n} ${isDrift ? WORDS[state] : state}`).join(", ");
    const said = `${account.name} (${account.id}), ${unitName(account.ou)}: ${WORDS[account.state]}${counts ? `; ${counts}` : ""}`;
    const content = named ? [glyph(account.state), h("span", { class: "who" }, account.name)] : [GLYPHS[account.state]];
    const node = h("button", { type: "button", class: `tile s-${account.state}`, title: said, "aria-label": said, tabindex: tiles.length ? "-1" : "0", "aria-pressed": "false", click: () => only(account) }, ...content);
    tiles.push({ account, node });
    return node;
  };
  const unit = (node, named) => {
    const tilesOf = h("div", { class: "tiles" }, ...node.accounts.map((account) => tile(account, named)));
    const pick = h("button", { type: "button", class: "only", "aria-label": `Only ${node.path || "the root"} and below`, click: () => { $("f-ou").value = node.path; apply(); } }, "only");
    return h("div", { class: "branch" }, node.path ? pick : null, h("details", { class: "unit", open: true },
      h("summary", {}, h("span", {}, node.name), h("span", { class: "n" }, String(node.total))),
      node.accounts.length ? tilesOf : null,
      ...[...node.units.values()].sort((a, b) => a.name.localeCompare(b.name)).map((child) => unit(child, named))));
  };
  const organization = () => {
    const make = (name, path) => ({ name, path, accounts: [], units: new Map(), total: 0 });
    const root = make("Root", "");
    for (const account of accounts) {
      let node = root;
      root.total += 1;
      let path = "";
      for (const part of account.ou ? account.ou.split("/") : []) {
        path = path ? `${path}/${part}` : part;
        if (!node.units.has(part)) node.units.set(part, make(part, path));
        node = node.units.get(part);
        node.total += 1;
      }
      node.accounts.push(account);
    }
    const named = accounts.length <= 80;
    $("tree").classList.toggle("named", named);
    $("tree").append(unit(root, named));
    const seen = new Set(accounts.map((account) => account.state));
    $("legend").append(...RANK.filter((state) => seen.has(state)).map((state) => h("li", {}, glyph(state), WORDS[state])));
    const paths = new Set();
    for (const account of accounts) {
      const parts = account.ou ? account.ou.split("/") : [];
      parts.forEach((_, n) => paths.add(parts.slice(0, n + 1).join("/")));
    }
    $("f-ou").append(h("option", { value: "*" }, "all"), ...[...paths].sort().map((path) => h("option", { value: path }, path)));
  };
  $("tree").addEventListener("keydown", (event) => {
    const here = tiles.findIndex((one) => one.node === document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (here < 0 || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const last = tiles.length - 1;
    const next = event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(last, Math.max(0, here + step));
    tiles[here].node.tabIndex = -1;
    tiles[next].node.tabIndex = 0;
    tiles[next].node.focus();
  });

  // One change.
  const OPEN = "\u0001", CLOSE = "\u0002";
  const diff = (text) => {
    const pre = h("pre", { class: "diff", tabindex: "0", "aria-label": "What differs" });
    for (const line of text.replace(/\n$/, "").split("\n")) {
      const row = h("span", { class: "l" });
      let plain = "";
      for (const [n, part] of line.split(OPEN).entries()) {
        if (n === 0) { row.append(part); plain += part; continue; }
        const end = part.indexOf(CLOSE);
        const inside = part.slice(1, end), after = part.slice(end + 1);
        row.append(h("span", { class: `k-${part[0]}` }, inside), after);
        plain += inside + after;
      }
      const sign = plain.trimStart().slice(0, 2);
      if (sign === "+ ") row.classList.add("add");
      if (sign === "- ") row.classList.add("gone");
      row.append("\n");
      pre.append(row);
    }
    return pre;
  };
  const findingCard = (finding, withAccounts) => h("div", { class: `finding ${finding.weight}` },
    h("p", {}, h("span", { class: "word" }, finding.weight), h("b", {}, finding.code),
      finding.name === null ? "" : ` ${finding.kind} ${finding.name}`,
      finding.accounts.length > 1 ? ` in ${many(finding.accounts.length, "account")}` : ""),
    prose(finding.message),
    withAccounts && finding.accounts.length ? accountList(finding.accounts, 6) : null);
  const details = (change, places) => {
    const about = data.findings.filter((finding) => finding.key === change.key && (finding.accounts.length === 0 || places.some((at) => finding.set.has(at))));
    const text = data.texts[change.text];
    return h("div", { class: "body" },
      h("p", { class: "reason" }, change.reason),
      change.who.length ? h("div", {}, h("p", { class: "reason" }, "Who did it:"), h("ul", {}, ...change.who.map((line) => h("li", {}, line)))) : null,
      ...about.map((finding) => findingCard(finding, false)),
      accountList(places, NAMED),
      text ? diff(text) : null,
      change.operations.length && !isDrift ? h("p", { class: "operations" }, `Steps in each account: ${change.operations.join(", ")}`) : null);
  };
  // What is pending was not done by anybody yet.
  const wide = (change) => (isDrift && change.standing !== "pending" && change.standing !== "never" ? "wider than desired" : "widens access");
  const card = (change, places) => {
    const where = places.length === 1 ? `${accounts[places[0]].name} (${accounts[places[0]].id})` : many(places.length, "account");
    const of = places.length < change.accounts.length ? ` of ${change.accounts.length}` : "";
    const steps = Math.round((change.steps * places.length) / change.accounts.length);
    const node = h("details", { class: "change" },
      h("summary", {},
        h("span", { class: `badge s-${change.state}` }, isDrift ? WORDS[change.state] : change.action),
        h("span", { class: "kind" }, change.kind), h("span", { class: "name" }, change.name),
        h("span", { class: "place" }, `${isDrift ? `${change.action} ` : ""}in ${where}${of}`),
        steps && !isDrift ? h("span", { class: "steps" }, `· ${many(steps, "step")}`) : null,
        change.widens ? h("span", { class: "wide" }, `▲ ${wide(change)}`) : null));
    node.addEventListener("toggle", () => {
      if (node.open && node.childElementCount === 1) node.append(details(change, places));
    });
    return node;
  };

  // The list, a page at a time.
  let shown = [];
  let drawn = 0;
  const more = (n) => {
    const next = shown.slice(drawn, drawn + n);
    $("list").append(...next.map(([change, places]) => card(change, places)));
    drawn += next.length;
    const left = shown.length - drawn;
    $("more").hidden = left === 0;
    $("more").textContent = `Show ${Math.min(left, PAGE)} of ${left.toLocaleString("en")} more`;
  };
  $("more").addEventListener("click", () => more(PAGE));
  const openAll = (open) => document.querySelectorAll("#list > .change").forEach((node) => { node.open = open; });
  $("open-all").addEventListener("click", () => openAll(true));
  $("close-all").addEventListener("click", () => openAll(false));
  // What is folded away would be missing on paper; "toggle" comes too late for it. What is not there is said.
  window.addEventListener("beforeprint", () => {
    const left = shown.length - drawn;
    const by = [...$("filters").querySelectorAll("input, select")].filter((field) => field.value !== "" && field.value !== "*");
    const said = by.map((field) => `${field.parentElement.firstChild.textContent.toLowerCase()} ${field.selectedOptions ? field.selectedOptions[0].textContent : field.value}`);
    $("paper").textContent = [$("count").textContent, said.length ? `filtered by ${said.join(", ")}` : "", left ? `only the first ${drawn.toLocaleString("en")} of ${shown.length.toLocaleString("en")} entries are printed` : ""].filter(Boolean).join("; ");
    [...$("list").children].forEach((node, n) => {
      if (node.childElementCount === 1) node.append(details(...shown[n]));
      node.open = true;
    });
    if (!$("trust-table").hidden) { $("trust-table").open = true; fillTable(); }
    document.querySelectorAll(".unit").forEach((node) => { node.open = true; });
  });

  const drawList = () => {
    shown = data.changes.map((change) => [change, fitsChange(change)]).filter(([, places]) => places.length);
    $("list").replaceChildren();
    drawn = 0;
    more(PAGE);
    if (!shown.length) $("list").append(h("p", { class: "none" }, data.changes.length ? `No ${NOUN} matches the filter.` : isDrift ? "Nothing differs." : "No changes."));
    const touched = new Set(shown.flatMap(([, places]) => places));
    const total = shown.reduce((sum, [, places]) => sum + places.length, 0);
    $("count").textContent = `${many(total, NOUN)} in ${many(touched.size, "account")}`;
    for (const { account, node } of tiles) {
      node.classList.toggle("dim", (isNarrowed() || isPicky()) && !(touched.has(account.at) || (fits[account.at] && !isPicky())));
      node.setAttribute("aria-pressed", String(filter.account === `${account.name} (${account.id})`));
    }
  };
  const drawFindings = () => {
    const list = data.findings.filter((finding) => (!filter.finding || finding.code === filter.finding) &&
      (!isNarrowed() || finding.accounts.some((at) => fits[at])) &&
      (!filter.role.trim() || (finding.name || "").toLowerCase().includes(filter.role.trim().toLowerCase())));
    $("finding-list").replaceChildren(...list.slice(0, 200).map((finding) => findingCard(finding, true)));
    if (!list.length) $("finding-list").append(h("p", { class: "none" }, data.findings.length ? "No finding matches the filter." : isDrift ? "No findings." : "No findings."));
    if (list.length > 200) $("finding-list").append(h("p", { class: "none" }, `${list.length - 200} more: use the filter to find them.`));
  };
  const drawUnread = () => {
    const rows = [...data.unreadable.map((one) => ["could not be read", "stop", one]), ...data.skipped.map((one) => ["skipped", "warn", one])];
    $("unread").hidden = rows.length === 0;
    $("unread-list").append(...rows.map(([word, look, one]) => h("div", { class: `finding ${look}` },
      h("p", {}, h("span", { class: "word" }, word), many(one.accounts.length, "account")), prose(one.why), accountList(one.accounts, 12))));
  };

  // The trust map: callers on the left, accounts on the right, folded by unit where there are many.
  const SVG = "http://www.w3.org/2000/svg";
  const s = (tag, props, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(props)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const cut = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
  const places = data.trusts.places;
  const KINDS = { anyone: "Anyone", outside: "Outside the organization", provider: "Identity providers", service: "AWS services", inside: "Inside the organization" };
  const callerOf = (trust, foldInside) => {
    const place = places[trust.caller];
    if (trust.kind === "anyone") return { id: "anyone", kind: "anyone", name: "Anyone", sub: "everyone with an AWS account" };
    if (trust.kind === "account" && place.outsider) return { id: trust.caller, kind: "outside", name: place.name || "unknown account", sub: trust.caller, outside: true };
    if (trust.kind === "account") {
      return foldInside ? { id: `ou ${place.ou}`, kind: "inside", name: unitName(place.ou), sub: "accounts of this unit" } : { id: trust.caller, kind: "inside", name: place.name, sub: trust.caller };
    }
    if (trust.kind === "service") return { id: trust.caller, kind: "service", name: trust.caller.replace(/\.amazonaws\.com(\.cn)?$/, ""), sub: trust.caller };
    return { id: `${trust.kind} ${trust.caller}`, kind: trust.kind === "provider" ? "provider" : "outside", name: trust.caller, sub: trust.kind === "provider" ? "federated identities" : "principal" };
  };
  // Only what names an external id, the organization or the source keeps a deputy from being confused.
  const GUARDS = ["sts:externalid", "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid"];
  const isOpen = (trust, caller) => (caller.kind === "outside" || caller.kind === "anyone") && !GUARDS.some((key) => key in trust.conditions && !trust.loose.includes(key));
  const fitsTrust = (trust) => {
    const role = filter.role.trim().toLowerCase();
    if (role && !trust.role.toLowerCase().includes(role)) return [];
    if (!isNarrowed()) return trust.accounts;
    const enters = trust.kind === "account" && !places[trust.caller].outsider && fitsAccount({ id: trust.caller, ...places[trust.caller] });
    return enters ? trust.accounts : trust.accounts.filter((id) => fitsAccount({ id, ...places[id] }));
  };
  let picked = "";
  const drawTrusts = () => {
    const trusts = data.trusts.trusts.map((trust) => ({ ...trust, accounts: fitsTrust(trust) })).filter((trust) => trust.accounts.length);
    $("trust-table").hidden = trusts.length === 0;
    if (!trusts.length) {
      $("map").replaceChildren(h("p", { class: "none" }, data.trusts.trusts.length ? "No trust matches the filter." : "The desired state has no role that trusts anyone."));
      $("map-hint").textContent = "";
      return;
    }
    const targets = new Set(trusts.flatMap((trust) => trust.accounts));
    const foldTargets = targets.size > 14;
    const insiders = new Set(trusts.filter((trust) => trust.kind === "account" && !places[trust.caller].outsider).map((trust) => trust.caller));
    const foldInside = insiders.size > 14;
    const left = new Map(), right = new Map(), edges = new Map();
    for (const trust of trusts) {
      const caller = callerOf(trust, foldInside);
      if (!left.has(caller.id)) left.set(caller.id, { ...caller, who: new Set(), roles: new Set() });
      left.get(caller.id).who.add(trust.caller);
      left.get(caller.id).roles.add(trust.role);
      for (const id of trust.accounts) {
        const place = places[id];
        const key = foldTargets ? `ou ${place.ou}` : id;
        if (!right.has(key)) right.set(key, { id: key, name: foldTargets ? unitName(place.ou) : place.name || id, accounts: new Set(), unit: place.ou || "" });
        right.get(key).accounts.add(id);
        const edge = `${caller.id}\n${key}`;
        if (!edges.has(edge)) edges.set(edge, { from: caller.id, to: key, roles: new Set(), pairs: 0, open: false, kind: caller.kind });
        const found = edges.get(edge);
        found.roles.add(trust.role);
        found.pairs += 1;
        found.open = found.open || isOpen(trust, caller);
      }
    }
    const W = 1000, NODE = 330, H = 44, GAP = 9;
    const order = Object.keys(KINDS);
    const callers = [...left.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.name.localeCompare(b.name));
    const ends = [...right.values()].sort((a, b) => a.unit.localeCompare(b.unit) || a.name.localeCompare(b.name));
    const svg = s("svg", { role: "group", "aria-label": `${many(callers.length, "caller")} may enter ${many(targets.size, "account")}; the table below lists the same` });
    const lines = s("g", { "aria-hidden": "true" });
    svg.append(lines);
    const where = new Map();
    let y = 4, kind = "";
    const box = (x, title, sub, look, key, label, mark) => {
      const node = s("g", { class: `node ${look}`, tabindex: "0", role: "button", "aria-pressed": "false", "aria-label": label, "data-key": key,
        click: () => pick(key), keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(key); } } },
        s("title", {}, label), s("rect", { x, y, width: NODE, height: H, rx: 8 }),
        s("text", { x: x + 12, y: y + 18 }, cut(title, mark ? 32 : 42)), s("text", { class: "sub", x: x + 12, y: y + 34 }, cut(sub, 52)));
      if (mark) node.append(s("text", { class: "mark", x: x + NODE - 10, y: y + 17, "text-anchor": "end" }, mark));
      svg.append(node);
      where.set(key, y + H / 2);
      y += H + GAP;
    };
    for (const caller of callers) {
      if (caller.kind !== kind) {
        kind = caller.kind;
        y += 6;
        svg.append(s("text", { class: "title", x: 2, y: y + 10 }, KINDS[kind]));
        y += 18;
      }
      const roles = many(caller.roles.size, "role");
      const sub = caller.kind === "inside" && caller.who.size > 1 ? many(caller.who.size, "account") : caller.sub;
      box(2, caller.name, `${sub} · ${roles}`, caller.kind, `from ${caller.id}`, `${caller.name}, ${sub}${caller.kind === "outside" ? ", outside the organization" : ""}: may enter ${roles}`, caller.kind === "outside" ? "outsider" : "");
    }
    const leftEnd = y;
    y = 10;
    svg.append(s("text", { class: "title", x: W - NODE - 2, y: y + 10 }, foldTargets ? "Accounts, by unit" : "Accounts"));
    y += 18;
    for (const end of ends) {
      const sub = foldTargets ? many(end.accounts.size, "account") : `${end.id} · ${unitName(end.unit)}`;
      box(W - NODE - 2, end.name, sub, "end", `to ${end.id}`, `${end.name}, ${sub}`, "");
    }
    for (const edge of [...edges.values()].sort((a, b) => (a.kind === "outside") - (b.kind === "outside"))) {
      const y1 = where.get(`from ${edge.from}`), y2 = where.get(`to ${edge.to}`);
      const x1 = NODE + 2, x2 = W - NODE - 2, mid = (x1 + x2) / 2;
      const line = s("path", { d: `M${x1} ${y1}C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}`, class: `${edge.kind}${edge.open ? " open" : ""}`, "stroke-width": (1.2 + Math.min(6, Math.log2(edge.pairs + 1) * 0.7)).toFixed(1) },
        s("title", {}, `${many(edge.roles.size, "role")}: ${cut([...edge.roles].join(", "), 200)}`));
      edge.line = line;
      lines.append(line);
    }
    svg.setAttribute("viewBox", `0 0 ${W} ${Math.max(leftEnd, y)}`);
    $("map").replaceChildren(svg);
    const pick = (key) => {
      picked = picked === key ? "" : key;
      $("map").classList.toggle("picked", picked !== "");
      const touched = new Set([picked]);
      for (const edge of edges.values()) {
        const on = picked === `from ${edge.from}` || picked === `to ${edge.to}`;
        edge.line.classList.toggle("on", on);
        if (on) { touched.add(`from ${edge.from}`); touched.add(`to ${edge.to}`); }
      }
      for (const node of svg.querySelectorAll(".node")) {
        node.setAttribute("aria-pressed", String(node.dataset.key === picked));
        node.classList.toggle("off", picked !== "" && !touched.has(node.dataset.key));
      }
      table(trusts.filter((trust) => {
        const caller = callerOf(trust, foldInside);
        return !picked || picked === `from ${caller.id}` || trust.accounts.some((id) => picked === `to ${foldTargets ? `ou ${places[id].ou}` : id}`);
      }));
      if (picked) $("trust-table").open = true;
    };
    picked = "";
    $("map").classList.remove("picked");
    const open = [...edges.values()].some((edge) => edge.open);
    $("map-hint").textContent = "Who the desired trust policies trust. Choose a box to follow its lines." + (open ? " A dashed line trusts an outsider without an external id or the like." : "");
    table(trusts);
  };
  const ROWS = 300;
  let rows = [];
  const table = (trusts) => {
    rows = trusts;
    if ($("trust-table").open) fillTable();
    else $("trust-rows").replaceChildren();
  };
  const fillTable = () => {
    const row = (trust) => {
      const place = places[trust.caller];
      const outside = trust.kind === "account" && place.outsider;
      const name = trust.kind === "account" ? `${place.name || "unknown account"} (${trust.caller})` : trust.caller;
      const demands = Object.values(trust.conditions).flat();
      const into = trust.accounts.length > 6 ? many(trust.accounts.length, "account") : trust.accounts.map((id) => `${places[id].name || id} (${id})`).join(", ");
      return h("tr", {}, h("td", {}, name, outside ? h("span", { class: "tag" }, " outsider") : ""), h("td", {}, trust.principals.join(", ")), h("td", {}, trust.role), h("td", {}, into), h("td", {}, ...(demands.length ? demands.map((one) => h("div", {}, h("code", {}, one))) : ["—"])));
    };
    const head = ["Caller", "Principals", "Role", "In", "Conditions"].map((title) => h("th", { scope: "col" }, title));
    const over = rows.length > ROWS ? ` (the first ${ROWS} of ${rows.length}; filter for the others)` : "";
    $("trust-rows").replaceChildren(h("table", {}, h("caption", {}, `Who may assume which role${over}`), h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows.slice(0, ROWS).map(row))));
  };
  $("trust-table").addEventListener("toggle", () => { if ($("trust-table").open) fillTable(); });

  // The chips and the filter.
  const options = (field, keys, words) => $(field).append(h("option", { value: "" }, "all"), ...keys.map((key) => h("option", { value: key }, words(key))));
  const chips = () => {
    const counts = {};
    for (const change of data.changes) {
      counts[change.state] = (counts[change.state] || 0) + change.accounts.length;
      if (change.widens) counts.widens = (counts.widens || 0) + change.accounts.length;
    }
    const counted = (keys) => keys.filter((key) => counts[key]);
    const standings = counted(Object.keys(data.standings || {}));
    const doings = isDrift ? [...new Set(data.changes.map((change) => change.action))] : counted(ACTIONS);
    options("f-action", [...counted(["widens"]), ...doings], (does) => (does !== "widens" ? does : isDrift ? "wider than desired" : "widens access"));
    options("f-standing", standings, (standing) => WORDS[standing]);
    $("f-standing").parentElement.hidden = !isDrift;
    const chip = (field, key, words) => h("button", { type: "button", class: `chip s-${key}`, "data-action": key, "data-field": field, "aria-pressed": "false", click: () => {
      $(field).value = $(field).value === key ? "" : key;
      apply();
    } }, h("b", {}, counts[key].toLocaleString("en")), words);
    $("chips").append(...counted(["widens"]).map((key) => chip("f-action", key, isDrift ? "wider than desired" : "widen access")),
      ...(isDrift ? standings.map((key) => chip("f-standing", key, WORDS[key])) : doings.map((key) => chip("f-action", key, key))));
    const codes = [...new Set(data.findings.map((finding) => finding.code))].sort();
    options("f-finding", codes, (code) => code);
  };
  const apply = () => {
    filter.account = $("f-account").value;
    filter.ou = $("f-ou").value;
    filter.role = $("f-role").value;
    filter.action = $("f-action").value;
    filter.standing = $("f-standing").value;
    filter.finding = $("f-finding").value;
    fits = accounts.map(fitsAccount);
    for (const chip of $("chips").children) chip.setAttribute("aria-pressed", String(chip.dataset.action === $(chip.dataset.field).value));
    drawList();
    drawFindings();
    drawTrusts();
  };
  let waiting = 0;
  $("filters").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(apply));
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing) { event.preventDefault(); $("f-account").focus(); }
    if (event.key === "Escape" && typing) $("clear").click();
  });

  if (data.refusal) { $("refusal").textContent = data.refusal; $("refusal").hidden = false; }
  chips();
  organization();
  drawUnread();
  apply();
  $("app").hidden = false;
})();
