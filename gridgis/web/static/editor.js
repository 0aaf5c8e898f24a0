// The planners' editor: keeps map, view, selection and tool on its element between reruns; every edit is one small operation to Python.
const GE_TEARING = new Set(['reshape', 'merge', 'retire', 'create', 'assign']);   // what may leave a grid in several parts

class GeEditor {
  constructor(L, root) {
    this.L = L; this.root = root; this.canvas = root.querySelector('.gg-canvas'); this.stage = root.querySelector('.ge-stage');
    Object.assign(this, { ground: null, guides: null, mode: 'select', picked: new Set(), locked: new Set(), lifted: new Set(), brushed: new Set(), line: [], active: null, drag: null, pointer: null, snapped: null, fault: null, busy: null, figures: new Map(), touched: [], docs: new Map(), names: new Map(), inCells: new Map(), sort: ['code', 1] });
    this.wishes = { exclaves: false, free: false };
    this.snaps = { on: true, vertices: true, edges: true, roads: true, buildings: true, cells: true };
    const map = this.map = L.map(this.canvas, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, zoomDelta: 1, maxZoom: 23, minZoom: 3, wheelPxPerZoomLevel: 90, doubleClickZoom: false, boxZoom: false, worldCopyJump: false });
    map.setView([0, 0], 3, { animate: false });
    for (const [name, z] of [['ge-ground', 400], ['ge-live', 420]]) { map.createPane(name).style.zIndex = z; map.getPane(name).style.pointerEvents = 'none'; }
    const Sheet = geSheetKind(L);
    this.sheet = new Sheet({ pane: 'ge-ground', padding: 0.35, draw: (ctx, view) => geDrawGround(this, ctx, view) }).addTo(map);
    this.live = new Sheet({ pane: 'ge-live', padding: 0.35, draw: (ctx, view) => geDrawLive(this, ctx, view) }).addTo(map);
    L.control.scale({ imperial: false, maxWidth: 110, position: 'bottomleft' }).addTo(map);
    this.tip = L.tooltip({ direction: 'top', offset: [0, -10], className: 'gg-tip', opacity: 1 });
    this.hands = new GeHands(this); this.panel = new GePanel(this);
    this.resize = new ResizeObserver(() => { if (this.canvas.clientWidth) { map.invalidateSize({ pan: false }); this.place(); } });
    this.resize.observe(this.canvas);
  }

  async update(data, send) {
    const first = !this.data || this.data.key !== data.key;
    if (first) { this.placed = false; this.picked.clear(); this.line = []; this.active = null; this.fault = null; this.touched = []; this.figures = new Map(); this.told = null; this.busy = null; this.turn('select', false); }
    this.data = data; this.trigger = send;
    if (typeof data.height === 'number') this.canvas.style.height = `${data.height}px`;
    this.canvas.setAttribute('aria-label', data.text.map_label);
    const round = this.round = (this.round ?? 0) + 1;
    const [ground, guides, tally] = await Promise.all([this.document(data.ground), data.guides && this.document(data.guides), data.tally && this.document(data.tally)]);
    if (round !== this.round) return;
    if (guides && this.guideToken !== data.guides.token) { this.guides = new GeGuides(guides); this.guideToken = data.guides.token; this.inCells.clear(); }
    if (!guides) { this.guides = null; this.guideToken = null; }
    if (this.tallyToken !== data.tally?.token) { this.tally = tally && new GeTally(tally); this.inCells.clear(); this.tallyToken = data.tally?.token; }
    const answered = data.answer && (this.busy === null || data.answer.n === this.busy) && data.answer.n !== this.told ? data.answer : null;
    const another = this.token !== data.ground.token;
    if (answered) { this.told = answered.n; this.busy = null; this.brushed.clear(); this.line = []; this.pointer = this.snapped = null; this.active = null; clearTimeout(this.late); }
    if (another || answered) {
      if (this.drag) this.hands.cancelDrag();
      this.ground = new GeGround(ground); this.token = data.ground.token; this.lifted.clear(); this.grips = null; this.active = null;
    }
    for (const [i, code] of this.ground.codes.entries()) this.names.set(code, this.ground.names[i]);
    const before = this.figures;
    this.figures = new Map(Object.entries(data.figures.rows)); this.locked = new Set(data.locked);
    if ((another || answered?.good) && before.size) this.compare(before);
    for (const code of [...this.picked]) if (!this.ground.index.has(code)) this.picked.delete(code);
    if (answered?.pick) this.picked = new Set(answered.pick.filter(code => this.ground.index.has(code)));
    if (answered && !answered.good) this.blame(answered); else if (answered || another) this.fault = null;
    this.onBase = false;
    this.place();
    this.sheet.paint(); this.live.paint();
    this.panel.draw(answered);
    if (!answered) this.hint();
    this.root.dataset.state = this.busy ? 'busy' : 'ready'; this.stage.dataset.state = 'ready'; this.root.dataset.rev = data.rev;
  }

  async document(asked) {
    const known = this.docs.get(asked.token);
    if (known) return known;
    const doc = asked.inline ? JSON.parse(asked.inline) : await (await ggFetch(asked.url)).json();
    this.docs.set(asked.token, doc);
    while (this.docs.size > 6) this.docs.delete(this.docs.keys().next().value);
    return doc;
  }

  // grids whose figures are not what they were before
  compare(before) {
    this.touched = [];
    for (const code of new Set([...before.keys(), ...this.figures.keys()])) if (JSON.stringify(before.get(code)) !== JSON.stringify(this.figures.get(code))) this.touched.push([code, before.get(code) ?? null, this.figures.get(code) ?? null]);
    this.touched.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  place() {
    if (this.placed || !this.canvas.clientWidth || !this.ground?.bounds) return;
    const [w, s, e, n] = this.ground.bounds;
    this.map.fitBounds([[s, w], [n, e]], { paddingTopLeft: [26, 26], paddingBottomRight: [26, 66], animate: false, maxZoom: 20 });
    this.placed = true;
  }

  scale() { return this.map.options.crs.scale(this.map.getZoom()); }
  figure(code, name) { const row = this.figures.get(code), at = this.data.figures.columns.indexOf(name); return row?.[at] ?? null; }
  number(value, digits = 0) { return value === null || value === undefined ? '–' : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }); }
  short(i) { const code = this.ground.codes[i]; return code.length > 8 ? `…${code.slice(-4)}` : code; }
  kind(households) { const [low, high] = this.data.range; return households === null ? 'unknown' : households < low ? 'under' : households > high ? 'over' : 'within'; }
  balance(i) { return this.kind(this.figure(this.ground.codes[i], 'households')); }
  shows(kind) { return kind === 'cells' ? this.mode === 'paint' || this.snaps.cells : true; }
  may() { if (this.data.editable) return true; this.tell(this.data.text.read_only, true); return false; }

  // vertices and sides that can be taken hold of: those of the selected grids, in view
  handles(view = null) {
    const none = { vertices: [], sides: [] }, g = this.ground;
    if (this.mode !== 'select' || !this.picked.size || this.busy) return none;
    if (this.drag?.begun) return { vertices: [this.drag.v], sides: [] };
    const b = this.map.getBounds(), [w, n] = geWorld(b.getWest(), b.getNorth()), [e, s] = geWorld(b.getEast(), b.getSouth()), size = this.scale();
    const key = [w, n, e, s, this.token, [...this.picked]].join();
    if (this.grips?.key === key) return this.grips;
    const seen = new Set(), sides = new Map(), rim = g.sidesOfOutline();
    for (const code of this.picked) for (const { at } of g.of[g.index.get(code)] ?? []) for (let i = 0, j = at.length - 1; i < at.length; j = i++) {
      const x = g.xy[2 * at[i]], y = g.xy[2 * at[i] + 1], near = x >= w && x <= e && y >= n && y <= s;
      if (near) seen.add(at[i]);
      const side = g.side(at[i], at[j]);
      if (near && !rim.has(side) && Math.hypot(x - g.xy[2 * at[j]], y - g.xy[2 * at[j] + 1]) * size > 34) sides.set(side, [at[j], at[i]]);
    }
    if (seen.size > GE_HANDLES) { this.crowded = true; return (this.grips = { key, ...none }); }
    this.crowded = false;
    return (this.grips = { key, vertices: [...seen], sides: [...sides.values()] });
  }

  // the grids at a vertex leave the ground sheet for the moving one
  lift(drag) {
    const g = this.ground; let sharing;
    if (drag.kind === 'add_vertex') [drag.v, sharing] = g.insert(...drag.side); else sharing = g.sharing(drag.v);
    const lines = [];
    for (const ring of g.rings) for (let i = 0; i < ring.at.length; i++) if (ring.at[i] === drag.v) for (const u of [ring.at[(i + 1) % ring.at.length], ring.at[(i || ring.at.length) - 1]]) lines.push([[g.xy[2 * drag.v], g.xy[2 * drag.v + 1]], [g.xy[2 * u], g.xy[2 * u + 1]]]);
    drag.ghost = lines; drag.begun = true; this.tip.remove(); this.over = null;
    this.lifted = new Set(sharing);
    const grids = [...sharing].filter(who => who >= 0);
    drag.before = new Map(grids.map(who => [who, g.area(g.of[who])]));
    drag.points = this.tally?.begin(g, grids);
    this.sheet.paint();
    this.root.dataset.state = 'dragging';
  }

  // figures while dragging: area is what Python measured, in the ratio of the drawn shapes; people and incidents are counted
  weigh(drag) {
    const { ground: g } = this, rows = [...drag.before.keys()].map(who => ({ code: g.codes[who], figures: {} }));
    for (const name of ['area_m2', 'households', 'population', 'incidents']) {
      const known = who => this.figure(g.codes[who], name), change = name === 'area_m2' ? null : drag.points && this.tally.moved(g, drag.points, name, known);
      [...drag.before].forEach(([who, before], k) => {
        const was = known(who), now = was === null ? null : name === 'area_m2' ? (before > 0 ? was * g.area(g.of[who]) / before : null) : change ? was + change.get(who) : null;
        rows[k].figures[name] = [was, now];
      });
    }
    this.panel.hud(rows);
  }

  // likewise for ground that is brushed or drawn, with the pointer as its last corner
  weighGround() {
    const { ground: g, guides, tally } = this, closed = this.mode === 'create' || this.mode === 'give', target = this.mode === 'create' ? null : g.index.get([...this.picked][0]);
    if (this.mode === 'split') { this.weighHalves(); return; }
    if (!tally || target === undefined || this.busy) return;
    let points = [];
    if (this.mode === 'paint') for (const cell of this.brushed) points.push(...(this.inCells.get(cell) ?? this.inCells.set(cell, tally.on((x, y) => guides.inCell(cell, x, y), guides.rings.get(cell).box)).get(cell)));
    else if (closed && this.line.length + !!this.pointer > 2) {
      const corners = [...this.line, ...(this.pointer ? [this.pointer] : [])];
      points = tally.on((x, y) => geWithin(corners, x, y), geExtent(corners));
    } else { this.panel.hud(null); return; }
    const known = (who, name) => (who === null ? 0 : this.figure(g.codes[who], name));
    this.panel.hud([...tally.brought(g, points, target, known)].map(([who, change]) => ({ code: who === null ? null : g.codes[who], figures: { area_m2: [null, null], ...Object.fromEntries(['households', 'population', 'incidents'].map(name => { const was = known(who, name); return [name, [was, was === null || !tally.known[name] ? null : was + (change[name] ?? 0)]]; })) } })));
  }

  // the parts of a grid on both sides of the line being drawn
  weighHalves() {
    const { ground: g, tally } = this, line = [...this.line, ...(this.pointer ? [this.pointer] : [])], code = this.picked.size === 1 ? [...this.picked][0] : this.hands.under(line), who = g.index.get(code), rings = g.of[who];
    const halves = !this.busy && line.length > 1 && rings?.length === 1 && geHalves(Array.from(rings[0].at, v => ({ x: g.xy[2 * v], y: g.xy[2 * v + 1] })), line);
    if (!halves) { this.panel.hud(null); return; }
    const whole = geGround(halves[0]) + geGround(halves[1]);
    this.panel.hud(halves.map((corners, k) => ({ code, part: k + 1, figures: Object.fromEntries(['area_m2', 'households', 'population', 'incidents'].map(name => {
      const all = this.figure(code, name), known = name === 'area_m2' || tally?.known[name];
      const share = name === 'area_m2' ? geGround(corners) / whole : known && tally.on((x, y) => geWithin(corners, x, y), geExtent(corners)).reduce((sum, i) => sum + tally.weight(name, i), 0) / (tally.sum(g, who, name) || 1);
      return [name, all === null || !known ? [null, null] : [all * share, all * share]];
    })) })));
  }

  repaint() { this.due ??= requestAnimationFrame(() => { this.due = null; this.frames = (this.frames ?? 0) + 1; this.live.paint(); }); }
  settle() { this.ground.restore(); this.lifted.clear(); this.snapped = null; this.grips = null; this.panel.hud(null); this.root.dataset.state = 'ready'; this.sheet.paint(); this.live.paint(); }

  pick(code, more = false) {
    if (code === null) { if (!more) this.picked.clear(); } else if (more) { if (!this.picked.delete(code)) this.picked.add(code); } else this.picked = new Set([code]);
    this.active = null; this.grips = null;
    this.panel.selection(); this.hint(); this.repaint();
  }

  turn(mode, focus = true) {
    this.mode = mode; this.line = []; this.active = null; this.pointer = this.snapped = null; this.brushed.clear(); this.tip.remove(); this.grips = null;
    this.canvas.style.cursor = mode === 'select' ? '' : 'crosshair';
    if (!this.data) return;
    this.panel.hud(null); this.panel.tools(); this.hint(); this.sheet.paint(); this.live.paint();
    if (focus) this.canvas.focus({ preventScroll: true });
  }

  point(grid) {
    const code = grid >= 0 ? this.ground.codes[grid] : null;
    if (!code || this.drag) { this.tip.remove(); this.over = null; return; }
    const at = this.map.mouseEventToLatLng(this.hands.last);
    if (code !== this.over) { const t = this.data.text; this.tip.setContent(ggNode('span', {}, `${this.ground.names[grid] || code} · ${t.households} ${this.number(this.figure(code, 'households'))}`)); }
    this.over = code;
    this.tip.setLatLng(at);
    if (!this.map.hasLayer(this.tip)) this.tip.addTo(this.map);
  }

  step(which) { if (this.data[which]) this.send({ do: which }); else this.tell(this.data.text[`no_${which}`]); }

  send(op) {
    if (this.busy || !this.may()) { if (!this.busy) this.settle(); return; }
    this.busy = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    this.root.dataset.state = 'busy';
    this.panel.hud(null);
    this.fault = null; this.grips = null; this.tip.remove();
    this.panel.refusal(null); this.panel.tools(); this.tell(this.data.text.working);
    this.late = setTimeout(() => { this.busy = null; this.settle(); this.panel.tools(); this.tell(this.data.text.no_answer, true); }, 45_000);
    this.live.paint();
    const wished = { ...(this.wishes.exclaves && GE_TEARING.has(op.do) && { exclaves: true }), ...(this.wishes.free && op.do === 'retire' && { to: 'free' }) };
    this.trigger('op', { ...op, ...wished, n: this.busy, rev: this.data.rev });
  }

  blame(answer) {
    this.lifted.clear();
    this.fault = null;
    if (answer.place) {
      const [w, s, e, n] = answer.place, [x0, y0] = geWorld(w, n), [x1, y1] = geWorld(e, s), view = this.map.getBounds();
      this.fault = [x0, y0, x1, y1];
      const size = Math.hypot(x1 - x0, y1 - y0) * this.scale(), there = this.L.latLngBounds([[s, w], [n, e]]);
      if (!view.contains(there) || size > Math.max(this.canvas.clientWidth, this.canvas.clientHeight)) this.map.fitBounds(there.pad(0.6), { animate: false, maxZoom: Math.max(this.map.getZoom(), 18) });
    }
  }

  forgive() { this.fault = null; this.panel.refusal(null); this.repaint(); }
  tell(text, loud = false) { this.panel.note(text, loud); }

  hint() {
    const t = this.data.text, n = this.line.length;
    if (this.busy) return;
    if (this.mode === 'select') this.tell(!this.picked.size ? t.hint_select : this.crowded ? t.hint_crowded : this.picked.size === 1 ? t.hint_selected : t.hint_several);
    else if (this.mode === 'paint') this.tell(!this.guides?.cells.length ? t.no_cells : this.picked.size === 1 ? t.hint_paint : t.paint_pick);
    else if (this.mode === 'give' && this.picked.size !== 1) this.tell(t.paint_pick);
    else this.tell(n ? t.hint_drawing : t[`hint_${this.mode}`]);
  }

  remove() { clearTimeout(this.late); this.resize.disconnect(); this.hands.close(); this.map.remove(); }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector('.ge-root');
  root.ggTurn = data;
  ggLeaflet(data.leaflet).then(L => {
    if (root.ggTurn !== data || !root.isConnected) return;
    root.ge ??= new GeEditor(L, root);
    return root.ge.update(data, setTriggerValue);
  }).catch(error => { root.dataset.state = 'failed'; root.querySelector('.ge-hint').textContent = data.text.failed; console.warn(String(error)); });
  return () => { root.ge?.remove(); root.ge = undefined; };
}
