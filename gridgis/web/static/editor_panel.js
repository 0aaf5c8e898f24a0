// Beside and above the map: tools, what a refusal says, figures before and after, and the table of grids.
const GE_ICONS = {
  select: 'M3 2l10 5-4.4 1.4L7 13z', reshape: 'M2 12c3-9 4 3 7-4s3-4 5-5', split: 'M3 3h10v10H3zM3 9l10-3', create: 'M3 3h10v10H3zM8 5.5v5M5.5 8h5', give: 'M2 4h6v8H2zM8 8h6M11.5 5.5L14 8l-2.5 2.5', paint: 'M3 3h4v4H3zM7 7h4v4H7zM11 11h3v3h-3z',
  merge: 'M2 4h12v8H2zM8 4v1.5M8 7.2v1.6M8 10.5V12', retire: 'M3 3h10v10H3zM5.5 5.5l5 5M10.5 5.5l-5 5', lock: 'M4 7h8v6H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2', undo: 'M6 3L3 6l3 3M3 6h6a4 4 0 0 1 0 8H6', redo: 'M10 3l3 3-3 3M13 6H7a4 4 0 0 0 0 8h3', snap: 'M4 3v5a4 4 0 0 0 8 0V3M4 5.5h2.5M9.5 5.5H12', wish: 'M2.5 5h5.5M11.5 5h2M2.5 11h2M8 11h5.5M9.7 3.3v3.4M6.2 9.3v3.4',
};
const GE_KEYS = { undo: 'Ctrl-Z', redo: 'Ctrl-Y' };

class GePanel {
  constructor(ed) { this.ed = ed; for (const part of ['bar', 'legend', 'hint', 'totals', 'touched', 'table', 'zoom', 'refusal', 'hud']) this[part in GePanel.prototype ? `${part}Box` : part] = ed.root.querySelector(`.ge-${part}`); }

  icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    svg.setAttribute('viewBox', '0 0 16 16'); svg.setAttribute('aria-hidden', 'true'); path.setAttribute('d', GE_ICONS[name]); svg.append(path);
    return svg;
  }

  draw(answered) {
    const { data } = this.ed, spoken = data.lang + data.key;
    if (this.spoken !== spoken) { this.spoken = spoken; this.build(); }
    this.tools(); this.drawLegend(); this.drawTotals(); this.drawTouched(); this.drawTable();
    this.hud(null);
    if (answered) { this.refusal(answered.good ? null : answered.text); if (answered.good) this.note(answered.text); else this.note(data.text.sprang_back); }
    const foot = this.ed.root.querySelector('.gg-foot');
    foot.hidden = !data.notice; foot.textContent = data.notice ?? '';
  }

  button(name, action, extra = {}) {
    const t = this.ed.data.text, b = ggNode('button', { type: 'button', 'data-do': name, title: t[`title_${name}`] + (GE_KEYS[name] ? ` (${GE_KEYS[name]})` : ''), 'aria-label': t[`do_${name}`], ...extra }, this.icon(name), ggNode('span', {}, t[`do_${name}`]));
    b.onclick = action;
    return b;
  }

  build() {
    const ed = this.ed, t = ed.data.text, group = (label, ...items) => ggNode('div', { class: 'ge-group', role: 'group', 'aria-label': label }, ...items);
    const act = run => () => { if (!ed.busy) run(); ed.canvas.focus({ preventScroll: true }); };
    const modes = GE_MODES.map(mode => this.button(mode, () => { if (!ed.busy) ed.turn(mode); }));
    const merge = this.button('merge', act(() => ed.send({ do: 'merge', grids: this.ordered() })));
    const retire = this.button('retire', act(() => ed.send({ do: 'retire', grid: [...ed.picked][0] })));
    const lock = this.button('lock', act(() => { const grids = [...ed.picked]; ed.send({ do: grids.every(code => ed.locked.has(code)) ? 'unlock' : 'lock', grids }); }));
    const list = ggNode('div', { class: 'ge-menu' });
    for (const kind of ['on', 'vertices', 'edges', 'roads', 'buildings', 'cells']) {
      const tick = ggNode('input', { type: 'checkbox', checked: ed.snaps[kind], 'data-snap': kind });
      tick.onchange = () => { ed.snaps[kind] = tick.checked; this.snap.classList.toggle('ge-off', !ed.snaps.on); ed.sheet.paint(); };
      list.append(ggNode('label', {}, tick, ggNode('span', {}, t[`snap_${kind}`])));
    }
    const wishes = ggNode('div', { class: 'ge-menu ge-wishes' });
    for (const wish of ['exclaves', 'free']) {
      const tick = ggNode('input', { type: 'checkbox', checked: ed.wishes[wish], 'data-wish': wish });
      tick.onchange = () => { ed.wishes[wish] = tick.checked; this.wish.classList.toggle('ge-set', ed.wishes.exclaves || ed.wishes.free); };
      wishes.append(ggNode('label', {}, tick, ggNode('span', {}, t[`wish_${wish}`])));
    }
    this.wish = ggNode('details', { class: 'ge-snap' }, ggNode('summary', { title: t.title_wish, 'aria-label': t.do_wish }, this.icon('wish'), ggNode('span', {}, t.do_wish)), wishes);
    this.snap = ggNode('details', { class: 'ge-snap' }, ggNode('summary', { title: t.title_snap, 'aria-label': t.do_snap }, this.icon('snap'), ggNode('span', {}, t.do_snap)), list);
    this.bar.replaceChildren(group(t.group_modes, ...modes), group(t.group_acts, merge, retire, lock), group(t.group_steps, this.button('undo', act(() => ed.step('undo'))), this.button('redo', act(() => ed.step('redo')))), this.snap, this.wish);
    this.bar.setAttribute('aria-label', t.tools);
    const round = (sign, label, action) => { const b = ggNode('button', { type: 'button', 'aria-label': label, title: label }, sign); b.onclick = action; return b; };
    this.zoom.replaceChildren(round('+', t.zoom_in, () => ed.map.zoomIn()), round('−', t.zoom_out, () => ed.map.zoomOut()), round('⤢', t.whole, () => { ed.placed = false; ed.place(); }));
  }

  // the grid clicked first keeps its code in a merge
  ordered() { return [...this.ed.picked]; }

  tools() {
    const ed = this.ed, count = ed.picked.size, can = ed.data.editable && !ed.busy;
    const off = { merge: count < 2, retire: count !== 1, lock: count < 1, undo: !ed.data.undo, redo: !ed.data.redo };
    for (const b of this.bar.querySelectorAll('button[data-do]')) {
      const name = b.dataset.do;
      b.disabled = name in off ? off[name] || !can : name !== 'select' && !ed.data.editable;
      if (GE_MODES.includes(name)) b.setAttribute('aria-pressed', String(name === ed.mode));
      if (name === 'lock') { const open = count > 0 && [...ed.picked].every(code => ed.locked.has(code)), t = ed.data.text; b.lastChild.textContent = open ? t.do_unlock : t.do_lock; b.setAttribute('aria-label', b.lastChild.textContent); }
    }
  }

  note(text, loud = false) { this.hint.textContent = text; this.hint.classList.toggle('ge-loud', loud); }

  refusal(text) {
    const t = this.ed.data.text, box = this.refusalBox;
    box.hidden = !text;
    if (!text) { box.replaceChildren(); return; }
    const close = ggNode('button', { type: 'button', 'aria-label': t.close, title: t.close }, '×');
    close.onclick = () => { this.ed.forgive(); this.ed.canvas.focus({ preventScroll: true }); };
    box.replaceChildren(ggNode('b', {}, t.refused), ggNode('p', {}, text), close);
  }

  hud(rows) {
    const box = this.hudBox, { ed } = this;
    box.hidden = !rows?.length;
    if (!rows?.length) return;
    const t = ed.data.text, names = ['area_m2', 'households', 'population', 'incidents'].filter(name => rows.some(({ figures }) => figures[name][1] !== null));
    const cell = (name, [was, now]) => {
      const say = value => (name === 'area_m2' ? this.hectares(value) : ed.number(value === null ? null : Math.round(value)));
      return say(was) === say(now) || now === null ? ggNode('td', {}, say(was)) : ggNode('td', { class: 'ge-other' }, `${say(was)} → ${say(now)}`);
    };
    box.replaceChildren(ggNode('table', {},
      ggNode('thead', {}, ggNode('tr', {}, ggNode('th', {}), ...names.map(name => ggNode('th', { scope: 'col' }, name === 'area_m2' ? t.ha : t[name])))),
      ggNode('tbody', {}, ...rows.map(({ code, part, figures }) => ggNode('tr', {}, ggNode('th', { scope: 'row' }, code === null ? t.do_create : this.label(code) + (part ? ` · ${part}` : '')), ...names.map(name => cell(name, figures[name])))))));
  }

  ares(m2) { return this.ed.number(m2 === null ? null : m2 / 1e4, 1); }   // hectares, to ten ares
  hectares(m2) { return this.ed.number(m2 === null ? null : m2 / 1e4, 2); }

  drawLegend() {
    const { data } = this.ed, [low, high] = data.range, t = data.text, count = { under: 0, within: 0, over: 0, unknown: 0 };
    for (const code of this.ed.ground.codes) count[this.ed.kind(this.ed.figure(code, 'households'))]++;
    const says = { under: `${GE_SIGN.under} ${t.under} < ${low}`, within: `${t.within} ${low}–${high}`, over: `${GE_SIGN.over} ${t.over} > ${high}`, unknown: t.unknown };
    const rows = Object.keys(says).filter(kind => kind !== 'unknown' || count.unknown).map(kind => { const mark = ggNode('i', {}); mark.style.background = GE_FILL[kind]; return ggNode('li', {}, mark, ggNode('span', {}, says[kind]), ggNode('b', {}, String(count[kind]))); });
    const free = this.ed.ground.free.length ? [ggNode('li', {}, ggNode('i', { class: 'ge-hatched' }), ggNode('span', {}, t.free))] : [];
    this.folded ??= window.innerWidth < 900;
    const box = ggNode('details', { open: !this.folded }, ggNode('summary', {}, t.balance), ggNode('ul', {}, ...rows, ...free));
    box.ontoggle = () => { this.folded = !box.open; };
    this.legend.replaceChildren(box);
  }

  drawTotals() { this.totals.replaceChildren(...this.ed.data.totals.map(([name, value, change]) => ggNode('div', {}, ggNode('span', {}, name), ggNode('b', {}, value), ggNode('em', {}, change ?? '')))); }

  rowsOf(list, title, cls) {
    const ed = this.ed, t = ed.data.text, columns = ed.data.figures.columns, heads = ['households', 'population', 'incidents', 'area_m2'];
    const table = ggNode('table', {}, ggNode('thead', {}, ggNode('tr', {}, ggNode('th', { scope: 'col' }, t.grid), ...heads.map(name => ggNode('th', { scope: 'col', class: 'r' }, name === 'area_m2' ? t.ha : t[name])))));
    const body = ggNode('tbody', {});
    for (const [code, was, now] of list) {
      const cells = heads.map(name => { const at = columns.indexOf(name), a = was?.[at] ?? null, b = now?.[at] ?? null, say = v => (name === 'area_m2' ? this.ares(v) : ed.number(v));
        const same = was && now && say(a) === say(b); return ggNode('td', { class: 'r' }, ggNode('span', {}, same ? say(b) : now ? (was ? `${say(a)}→${say(b)}` : say(b)) : `${say(a)}→–`)); });
      body.append(ggNode('tr', {}, ggNode('th', { scope: 'row', title: code }, now && was ? '' : ggNode('i', { class: 'ge-flag' }, now ? t.is_new : t.is_gone), this.label(code)), ...cells));
    }
    table.append(body);
    return [ggNode('h4', {}, title), ggNode('div', { class: cls }, table)];
  }

  label(code) { return this.ed.names.get(code) || (code.length > 8 ? `…${code.slice(-4)}` : code); }   // also of a grid that is gone

  drawTouched() {
    const ed = this.ed, t = ed.data.text, at = ed.data.figures.columns.indexOf('area_m2'), say = row => row && row.map((value, i) => (i === at ? this.ares(value) : ed.number(value))).join();
    const list = ed.touched.filter(([, was, now]) => say(was) !== say(now));        // what cannot be seen in the figures is not listed
    this.touched.hidden = !list.length;
    if (list.length) this.touched.replaceChildren(...this.rowsOf(list.slice(0, 30), t.before_after, 'ge-scroll'));
  }

  drawTable() {
    const ed = this.ed, t = ed.data.text, heads = [['code', t.grid], ['households', t.households], ['population', t.population], ['incidents', t.incidents], ['area_m2', t.ha]];
    const head = ggNode('tr', {});
    for (const [name, title] of heads) {
      const on = ed.sort[0] === name, b = ggNode('button', { type: 'button', title: t.sort }, title + (on ? (ed.sort[1] > 0 ? ' ↑' : ' ↓') : ''));
      b.onclick = () => { ed.sort = [name, on ? -ed.sort[1] : name === 'code' ? 1 : -1]; this.drawTable(); };
      head.append(ggNode('th', { scope: 'col', class: name === 'code' ? '' : 'r', 'aria-sort': on ? (ed.sort[1] > 0 ? 'ascending' : 'descending') : undefined }, b));
    }
    const value = code => (ed.sort[0] === 'code' ? code : ed.figure(code, ed.sort[0]) ?? -1), codes = [...ed.ground.codes].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a < b ? -1 : 1) * ed.sort[1]);
    const body = ggNode('tbody', {}), changed = new Set(ed.data.changed);
    this.lines = new Map();
    for (const code of codes) {
      const households = ed.figure(code, 'households'), kind = ed.kind(households), mark = ggNode('i', { class: 'ge-mark' });
      mark.style.background = GE_FILL[kind];
      const row = ggNode('tr', { tabindex: '0', 'aria-selected': 'false', title: code, 'data-code': code },
        ggNode('th', { scope: 'row' }, mark, ed.locked.has(code) ? this.icon('lock') : '', changed.has(code) ? ggNode('sup', { title: t.changed }, '●') : '', this.label(code)),
        ggNode('td', { class: 'r' }, `${GE_SIGN[kind]}${ed.number(households)}`), ggNode('td', { class: 'r' }, ed.number(ed.figure(code, 'population'))), ggNode('td', { class: 'r' }, ed.number(ed.figure(code, 'incidents'))), ggNode('td', { class: 'r' }, this.hectares(ed.figure(code, 'area_m2'))));
      const choose = e => { ed.pick(code, e.shiftKey || e.ctrlKey || e.metaKey); this.show(code); };
      row.onclick = choose;
      row.onkeydown = e => { if (e.key === ' ' || (e.key === 'Enter' && !ed.line.length)) { e.preventDefault(); e.stopPropagation(); choose(e); } };
      this.lines.set(code, row);
      body.append(row);
    }
    const top = this.table.querySelector('.ge-scroll')?.scrollTop ?? 0;
    this.table.replaceChildren(ggNode('h4', {}, `${t.grids} · ${ed.ground.codes.length}`), this.sum = ggNode('p', { class: 'ge-sum' }), ggNode('div', { class: 'ge-scroll' }, ggNode('table', { 'aria-multiselectable': 'true' }, ggNode('thead', {}, head), body)));
    this.table.querySelector('.ge-scroll').scrollTop = top;
    this.selection();
  }

  show(code) {
    const { ed } = this, box = ed.ground.boxes[ed.ground.index.get(code)], [w, n] = geLonLat(box[0], box[1]), [e, s] = geLonLat(box[2], box[3]), there = ed.L.latLngBounds([[s, w], [n, e]]);
    if (!ed.map.getBounds().intersects(there) || !ed.map.getBounds().contains(there.getCenter())) ed.map.panTo(there.getCenter(), { animate: false });
  }

  selection() {
    const { ed } = this, t = ed.data.text;
    this.tools();
    for (const [code, row] of this.lines ?? []) { const on = ed.picked.has(code); if ((row.getAttribute('aria-selected') === 'true') !== on) row.setAttribute('aria-selected', String(on)); }
    const row = ed.picked.size === 1 && this.lines?.get([...ed.picked][0]), box = row && row.closest('.ge-scroll');      // the table scrolls, never the page
    if (box && (row.offsetTop < box.scrollTop + 30 || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)) box.scrollTop = row.offsetTop - box.clientHeight / 2;
    const sum = name => { const all = [...ed.picked].map(code => ed.figure(code, name)); return all.includes(null) ? null : all.reduce((a, b) => a + b, 0); };
    if (this.sum) this.sum.textContent = ed.picked.size ? `${t.selected} ${ed.picked.size} · ${t.households} ${ed.number(sum('households'))} · ${t.population} ${ed.number(sum('population'))} · ${this.hectares(sum('area_m2'))} ${t.ha}` : t.hint_table;
  }
}
