// The map component: draws what Python asks for, keeps map, view, switches and selection on its element between reruns.
class GgMap {
  constructor(L, root, made) {
    this.L = L; this.root = root; this.layers = new Map(); this.wishes = new Map(); this.states = new Map();
    this.canvas = root.querySelector('.gg-canvas');
    const map = this.map = made ?? L.map(this.canvas, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, zoomDelta: 1, maxZoom: 21, minZoom: 2, wheelPxPerZoomLevel: 90, boxZoom: true });
    for (const [name, z] of [['gg-hover', 440], ['gg-picked', 450]]) { map.createPane(name).style.zIndex = z; map.getPane(name).style.pointerEvents = 'none'; }
    this.hover = L.polygon([], { pane: 'gg-hover', renderer: L.svg({ pane: 'gg-hover' }), interactive: false, className: 'gg-hover-shape' }).addTo(map);
    this.picked = L.polygon([], { pane: 'gg-picked', renderer: L.svg({ pane: 'gg-picked' }), interactive: false, className: 'gg-picked-shape' }).addTo(map);
    this.tip = L.tooltip({ direction: 'top', offset: [0, -8], className: 'gg-tip', opacity: 1 });
    map.on('mousemove', e => { this.last = e.latlng; this.frame ??= requestAnimationFrame(() => { this.frame = null; this.point(this.last); }); });
    map.on('mouseout movestart zoomstart', () => this.point(null));
    map.on('click', e => this.click(e.latlng));
    map.on('popupclose', () => { this.picked.setLatLngs([]); if (!this.opening) this.pick(null); });
    this.scale = L.control.scale({ imperial: false, maxWidth: 110, position: 'bottomleft' }).addTo(map);
    this.resize = new ResizeObserver(() => { if (this.canvas.clientWidth) { map.invalidateSize({ pan: false }); if (!this.placed) this.place(); } });
    this.resize.observe(this.canvas);
    window.addEventListener('keydown', this.onKey = e => { if (e.key === 'Escape' && root.contains(document.activeElement)) map.closePopup(); });
  }

  update(data, send) {
    this.data = data; this.send = send;
    if (typeof data.height === 'number') this.canvas.style.height = `${data.height}px`;
    this.canvas.setAttribute('aria-label', data.text.map_label);
    const bounds = JSON.stringify(data.bounds);
    if (bounds !== this.bounds) { this.bounds = bounds; this.placed = false; this.place(); }
    this.setBase(data.base);
    const wanted = new Set(data.layers.map(spec => spec.token));
    for (const [token, entry] of this.layers) if (!wanted.has(token)) { entry.layer.remove(); this.layers.delete(token); this.states.delete(token); }
    data.layers.forEach((spec, order) => {
      let entry = this.layers.get(spec.token);
      if (!entry) {
        entry = { layer: ggMakeLayer(this.L, this.map, spec, (token, good) => this.report(token, good)) };
        this.layers.set(spec.token, entry);
        this.states.set(spec.token, 'loading');
      }
      entry.spec = spec;
      entry.layer.setZIndex?.(10 + order);
      this.show(spec, this.wishes.get(spec.name) ?? spec.visible);
    });
    this.panel(); this.foot(); this.tools(); this.state();
  }

  place() {
    if (this.placed || !this.canvas.clientWidth || !this.data) return;
    const b = this.data.bounds;
    if (b) this.map.fitBounds([[b[1], b[0]], [b[3], b[2]]], { padding: [18, 18], animate: false, maxZoom: 19 });
    else this.map.setView([35, 105], 4, { animate: false });
    this.placed = true;
  }

  show(spec, on) {
    const { layer } = this.layers.get(spec.token), there = this.map.hasLayer(layer);
    if (on && !there) { if (this.states.get(spec.token) === 'off') this.states.set(spec.token, 'loading'); layer.addTo(this.map); }
    if (!on) { if (there) layer.remove(); this.states.set(spec.token, 'off'); }
  }

  report(token, good) { if (this.states.has(token) && this.states.get(token) !== 'off') this.states.set(token, good ? 'ready' : 'failed'); this.state(); }

  state() {
    const all = [...this.states.values()], text = this.data.text;
    this.root.dataset.state = all.includes('failed') ? 'failed' : all.includes('loading') ? 'loading' : 'ready';
    const note = this.root.querySelector('.gg-note');
    note.textContent = this.root.dataset.state === 'failed' ? text.failed : !this.data.layers.length || !this.data.bounds ? text.empty : '';
    note.hidden = !note.textContent;
  }

  setBase(base) {
    const key = JSON.stringify(base ?? null);
    if (key === this.baseKey) return;
    this.baseKey = key; this.base?.remove();
    this.base = base ? ggBase(this.L, base).addTo(this.map) : null;
    this.root.classList.toggle('gg-on-base', Boolean(base));
  }

  // zoom and "show everything" as real buttons in the reader's language
  tools() {
    const box = this.root.querySelector('.gg-tools'), text = this.data.text;
    const button = (sign, label, action) => { const b = ggNode('button', { type: 'button', 'aria-label': label, title: label }, sign); b.onclick = action; return b; };
    if (box.dataset.lang === this.data.lang) return;
    box.dataset.lang = this.data.lang;
    box.replaceChildren(button('+', text.zoom_in, () => this.map.zoomIn()), button('−', text.zoom_out, () => this.map.zoomOut()),
      button('⤢', text.whole, () => { this.placed = false; this.place(); }));
  }

  panel() {
    const text = this.data.text, panel = this.root.querySelector('.gg-panel');
    const key = JSON.stringify([this.data.lang, this.data.layers.map(s => [s.name, s.title, s.legend, s.token])]);
    if (key === this.panelKey) return;
    this.panelKey = key;
    panel.hidden = !this.data.layers.length;
    this.folded ??= window.innerWidth < 900;                         // on a tablet the legend would hide a third of the map
    const box = ggNode('details', { open: !this.folded });
    box.ontoggle = () => { this.folded = !box.open; };
    box.append(ggNode('summary', {}, text.legend));
    for (const spec of [...this.data.layers].reverse()) {
      const on = this.wishes.get(spec.name) ?? spec.visible;
      const tick = ggNode('input', { type: 'checkbox', checked: on });
      const group = ggNode('div', { class: 'gg-group' }, ggNode('label', {}, tick, spec.legend.length > 1 ? '' : this.swatch(spec, spec.legend[0]), ggNode('span', {}, spec.title)));
      if (spec.legend.length > 1) {
        const list = ggNode('ul', { hidden: !on });
        for (const line of spec.legend) list.append(ggNode('li', {}, this.swatch(spec, line), ggNode('span', {}, line.label)));
        group.append(list);
        tick.addEventListener('change', () => { list.hidden = !tick.checked; });
      }
      tick.addEventListener('change', () => { this.wishes.set(spec.name, tick.checked); this.show(spec, tick.checked); this.state(); });
      box.append(group);
    }
    panel.replaceChildren(box);
  }

  swatch(spec, line) {
    const mark = ggNode('i', { class: `gg-swatch gg-${spec.mark}` }), { style } = spec;
    mark.style.setProperty('--fill', line?.colour ?? style.colours[0]);
    mark.style.setProperty('--line', style.line);
    mark.style.setProperty('--alpha', style.opacity);
    mark.style.setProperty('--width', `${Math.min(2, style.width)}px`);
    return mark;
  }

  foot() {
    const foot = this.root.querySelector('.gg-foot');
    foot.replaceChildren(...[this.data.notice, this.data.base?.attribution].filter(Boolean).map(line => ggNode('span', {}, line)));
    foot.hidden = !foot.childElementCount;
  }

  *onTop() { for (const spec of [...this.data.layers].reverse()) { const entry = this.layers.get(spec.token); if (entry && this.map.hasLayer(entry.layer)) yield entry; } }

  point(latlng) {
    let found = null, ask = false;
    if (latlng) for (const { layer, spec } of this.onTop()) {
      if (!spec.answers && !spec.labelled) continue;
      const hit = layer.hit(latlng);
      if (hit === 'ask') { ask = true; break; }
      if (hit) { found = { ...hit, layer, spec }; break; }
    }
    this.canvas.style.cursor = found?.spec.answers || ask ? 'pointer' : '';
    const key = found && `${found.spec.token}:${found.id}`;
    if (key === this.hoverKey && !(found && this.tip.isOpen())) return;
    if (key !== this.hoverKey) {
      this.hoverKey = key;
      const rings = found ? (found.part ? found.layer.pieces(found.id).flatMap(([doc, s]) => ggOutline(doc, s)) : ggOutline(found.doc, found.shape)) : [];
      this.hover.setStyle({ stroke: !found?.part });
      this.hover.setLatLngs(rings);
    }
    const label = found?.doc.extra?.labels?.[found.shape];
    if (label) { this.tip.setContent(ggNode('span', {}, label)).setLatLng(latlng); if (!this.tip.isOpen()) this.tip.openOn(this.map); } else this.map.closeTooltip(this.tip);
  }

  async click(latlng) {
    const turn = this.turn = (this.turn ?? 0) + 1;
    for (const { layer, spec } of this.onTop()) {
      if (!spec.answers) continue;
      const hit = layer.hit(latlng), extra = hit?.doc?.extra;
      let answer = null;
      if (hit && extra) answer = { key: extra.keys[hit.shape], rows: extra.rows?.[hit.shape] ?? [], rings: ggOutline(hit.doc, hit.shape) };
      else if (spec.identify && (hit || spec.road === 'image')) {
        try { answer = await (await ggFetch(`${spec.identify}?lon=${latlng.lng.toFixed(8)}&lat=${latlng.lat.toFixed(8)}&zoom=${this.map.getZoom().toFixed(2)}`)).json(); } catch { answer = null; }
        if (turn !== this.turn) return;
        if (answer) answer.rings = answer.outline.map(ring => ring.map(([lon, lat]) => [lat, lon]));
      }
      if (answer) return this.open(latlng, spec, answer);
    }
    this.map.closePopup();
  }

  open(latlng, spec, answer) {
    const list = ggNode('dl', {});
    for (const [heading, value] of answer.rows) list.append(ggNode('dt', {}, heading), ggNode('dd', {}, value));
    const card = ggNode('div', { class: 'gg-card' }, ggNode('h4', {}, spec.title), list);
    this.opening = true;
    this.map.openPopup(this.L.popup({ className: 'gg-popup', maxWidth: 320, minWidth: 180, autoPanPadding: [24, 24] }).setLatLng(latlng).setContent(card));
    this.opening = false;
    this.root.querySelector('.leaflet-popup-close-button')?.setAttribute('aria-label', this.data.text.close);
    this.picked.setLatLngs(answer.rings);
    this.pick({ layer: spec.name, key: answer.key });
  }

  pick(choice) {
    if (JSON.stringify(choice) === JSON.stringify(this.choice ?? null)) return;
    this.choice = choice;
    if (this.data.selectable) this.send('selection', choice);
  }

  remove() { this.resize.disconnect(); window.removeEventListener('keydown', this.onKey); this.map.remove(); }
}

const ggParts = () => [ggNode('div', { class: 'gg-tools' }), ggNode('div', { class: 'gg-panel', hidden: true }), ggNode('div', { class: 'gg-foot', hidden: true }), ggNode('div', { class: 'gg-note', role: 'status', hidden: true })];

// Draw on a map that Folium made: in notebooks and exported files.
function ggOnMap(map, data) {
  const canvas = map.getContainer(), root = ggNode('div', { class: 'gg-map', 'data-state': 'loading' });
  canvas.replaceWith(root);
  canvas.classList.add('gg-canvas');
  canvas.setAttribute('tabindex', '0');
  root.append(canvas, ...ggParts());
  root.gg = new GgMap(window.L, root, map);
  map.invalidateSize({ pan: false });
  root.gg.update(data, () => {});
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector('.gg-map');
  root.ggTurn = data;
  ggLeaflet(data.leaflet).then(L => {
    if (root.ggTurn !== data || !root.isConnected) return;
    root.gg ??= new GgMap(L, root);
    root.gg.update(data, setStateValue);
  }).catch(() => { root.dataset.state = 'failed'; const note = root.querySelector('.gg-note'); note.textContent = data.text.failed; note.hidden = false; });
  return () => { root.gg?.remove(); root.gg = undefined; };
}
