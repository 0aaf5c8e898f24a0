// Two sheets over the map: the ground, painted once per view, and above it what moves, painted every frame.
const GE_FILL = { under: '#9fc5e0', within: '#edf0e6', over: '#d9853b', unknown: '#f4f4f2' };
const GE_INK = '#22303a', GE_PICK = '#0b3d91', GE_NEW = '#a3195b';

function geSheetKind(L) {
  return L.Renderer.extend({
    _initContainer() { this._container = document.createElement('canvas'); this._ctx = this._container.getContext('2d'); },
    _destroyContainer() { this._container.remove(); },
    _update() {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      const size = this._bounds.getSize(), ratio = Math.min(2, window.devicePixelRatio || 1), c = this._container;
      L.DomUtil.setPosition(c, this._bounds.min);
      c.width = size.x * ratio; c.height = size.y * ratio; c.style.width = `${size.x}px`; c.style.height = `${size.y}px`;
      this.ratio = ratio;
      this.paint();
    },
    // draw(ctx, view): view.x(wx), view.y(wy) give pixels of the sheet
    paint() {
      if (!this._bounds) return;
      const map = this._map, origin = map.getPixelOrigin().add(this._bounds.min), scale = map.options.crs.scale(map.getZoom()), size = this._bounds.getSize(), ctx = this._ctx;
      ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      ctx.clearRect(0, 0, size.x, size.y);
      const view = { scale, x: wx => wx * scale - origin.x, y: wy => wy * scale - origin.y, box: [origin.x / scale, origin.y / scale, (origin.x + size.x) / scale, (origin.y + size.y) / scale] };
      this.options.draw(ctx, view);
    },
  });
}

function geTrace(path, xy, at, view) {
  for (let i = 0; i < at.length; i++) { const px = view.x(xy[2 * at[i]]), py = view.y(xy[2 * at[i] + 1]); if (i) path.lineTo(px, py); else path.moveTo(px, py); }
  path.closePath();
}

const geApart = (a, b) => a[2] < b[0] || a[0] > b[2] || a[3] < b[1] || a[1] > b[3];

// oblique lines for ground nobody holds, crossed ones for finished grids: they stay visible on a black-and-white print
function geHatch(ctx, colour, crossed) {
  const tile = document.createElement('canvas'); tile.width = tile.height = 9;
  const t = tile.getContext('2d'); t.strokeStyle = colour; t.lineWidth = 1;
  t.beginPath(); t.moveTo(-1, 10); t.lineTo(10, -1); if (crossed) { t.moveTo(-1, -1); t.lineTo(10, 10); } t.stroke();
  return ctx.createPattern(tile, 'repeat');
}

function geDrawGround(ed, ctx, view) {
  const g = ed.ground;
  if (!g) return;
  const out = ed.lifted, paths = {}, lines = new Path2D(), shown = [];
  for (let i = 0; i < g.of.length; i++) {
    if (out.has(i) || geApart(g.boxes[i], view.box)) continue;
    shown.push(i);
    const kind = ed.balance(i), path = paths[kind] ??= new Path2D();
    for (const ring of g.of[i]) { geTrace(path, g.xy, ring.at, view); geTrace(lines, g.xy, ring.at, view); }
  }
  for (const [kind, path] of Object.entries(paths)) { ctx.fillStyle = GE_FILL[kind]; ctx.globalAlpha = ed.onBase ? 0.6 : 1; ctx.fill(path, 'evenodd'); ctx.globalAlpha = 1; }
  if (g.free.length && !out.has(GE_FREE)) {
    const free = new Path2D();
    for (const ring of g.free) geTrace(free, g.xy, ring.at, view);
    ctx.fillStyle = geHatch(ctx, '#8b98a1'); ctx.fill(free, 'evenodd');
    ctx.strokeStyle = '#8b98a1'; ctx.setLineDash([4, 3]); ctx.stroke(free); ctx.setLineDash([]);
  }
  if (ed.locked.size) {
    const done = new Path2D();
    for (const i of shown) if (ed.locked.has(g.codes[i])) for (const ring of g.of[i]) geTrace(done, g.xy, ring.at, view);
    ctx.fillStyle = geHatch(ctx, 'rgb(50 60 70 / .28)', true); ctx.fill(done, 'evenodd');
  }
  geDrawGuides(ed, ctx, view);
  ctx.strokeStyle = GE_INK; ctx.lineWidth = shown.length > 250 ? 0.8 : 1.1; ctx.lineJoin = 'round';
  ctx.stroke(lines);
  if (!out.has(GE_OUTLINE)) {
    const border = new Path2D();
    for (const ring of g.outline) geTrace(border, g.xy, ring.at, view);
    ctx.lineWidth = 2.6; ctx.stroke(border);
  }
  for (const i of shown) geLabel(ed, ctx, view, i);
}

function geDrawGuides(ed, ctx, view) {
  const guides = ed.guides;
  if (!guides) return;
  const looks = { buildings: ['#857a6e', 0.9, 15], roads: ['#c9a227', 1.4, 13], cells: ed.mode === 'paint' ? ['#4d6473', 0.8, 0] : ['rgb(95 116 130 / .38)', 0.6, 14] };
  for (const [kind, [colour, width, least]] of Object.entries(looks)) {
    if (!ed.shows(kind) || ed.map.getZoom() < least) continue;
    const path = new Path2D(), [from, to] = guides.kinds[kind];
    for (let r = from; r < to; r++) {
      if (geApart(guides.boxes[r], view.box)) continue;
      for (let i = guides.starts[r]; i < guides.starts[r + 1]; i++) { const x = view.x(guides.xy[2 * i]), y = view.y(guides.xy[2 * i + 1]); if (i === guides.starts[r]) path.moveTo(x, y); else path.lineTo(x, y); }
    }
    ctx.strokeStyle = colour; ctx.lineWidth = width; ctx.setLineDash(kind === 'cells' ? [3, 2] : []);
    ctx.stroke(path);
  }
  ctx.setLineDash([]);
}

const GE_SIGN = { under: '▽', over: '▲', within: '', unknown: '' };

function geLabel(ed, ctx, view, i) {
  const place = ed.ground.middles()[i];
  if (!place) return;
  const room = place[2] * view.scale, tall = (ed.ground.boxes[i][3] - ed.ground.boxes[i][1]) * view.scale;
  if (room < 30 || tall < 18) return;
  ctx.font = '600 12px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
  ctx.textAlign = 'center'; ctx.textBaseline = 'middle';
  const name = [ed.ground.names[i], ed.short(i)].find(text => text && ctx.measureText(text).width < room - 8);
  if (!name) return;
  const households = ed.figure(ed.ground.codes[i], 'households'), sign = GE_SIGN[ed.balance(i)];
  const below = households === null || tall < 44 ? '' : `${sign}${ed.number(households)}`, x = view.x(place[0]), y = view.y(place[1]);
  ctx.lineWidth = 3; ctx.strokeStyle = 'rgb(255 255 255 / .85)'; ctx.fillStyle = GE_INK;
  const say = (text, dy) => { ctx.strokeText(text, x, y + dy); ctx.fillText(text, x, y + dy); };
  say(name, below ? -7 : 0);
  if (below) { ctx.font = ctx.font.replace('600', '400'); say(below, 8); }
}

// what moves: lifted grids, selection, handles, the line being drawn, the brush, the mark of a refusal
function geDrawLive(ed, ctx, view) {
  const g = ed.ground;
  if (!g) return;
  const trace = rings => { const path = new Path2D(); for (const ring of rings) geTrace(path, g.xy, ring.at, view); return path; };
  for (const who of ed.lifted) {
    const rings = who >= 0 ? g.of[who] : who === GE_FREE ? g.free : g.outline, path = trace(rings);
    if (who >= 0) { ctx.fillStyle = GE_FILL[ed.balance(who)]; ctx.globalAlpha = 0.9; ctx.fill(path, 'evenodd'); ctx.globalAlpha = 1; }
    ctx.strokeStyle = GE_INK; ctx.lineWidth = who === GE_OUTLINE ? 2.6 : 1.2; ctx.stroke(path);
  }
  if (ed.lifted.size && ed.guides) {                               // streets and houses stay in sight on what moves
    const clip = new Path2D();
    for (const who of ed.lifted) if (who >= 0) clip.addPath(trace(g.of[who]));
    ctx.save(); ctx.clip(clip, 'evenodd'); geDrawGuides(ed, ctx, view); ctx.restore();
  }
  if (ed.drag?.ghost) { ctx.setLineDash([5, 4]); ctx.strokeStyle = '#6b7780'; ctx.lineWidth = 1.3; ctx.beginPath(); for (const [a, b] of ed.drag.ghost) { ctx.moveTo(view.x(a[0]), view.y(a[1])); ctx.lineTo(view.x(b[0]), view.y(b[1])); } ctx.stroke(); ctx.setLineDash([]); }
  for (const who of ed.lifted) if (who >= 0) geLabel(ed, ctx, view, who);
  for (const code of ed.picked) {
    const i = g.index.get(code);
    if (i === undefined || geApart(g.boxes[i], view.box)) continue;
    const path = trace(g.of[i]);
    ctx.lineJoin = 'round'; ctx.strokeStyle = 'rgb(255 255 255 / .9)'; ctx.lineWidth = 6; ctx.stroke(path);
    ctx.strokeStyle = GE_PICK; ctx.lineWidth = 3; ctx.stroke(path);
  }
  if (ed.brushed.size && ed.guides) {
    const { xy, starts, rings } = ed.guides, path = new Path2D();
    for (const cell of ed.brushed) for (const r of rings.get(cell).at) { for (let i = starts[r]; i < starts[r + 1]; i++) { const x = view.x(xy[2 * i]), y = view.y(xy[2 * i + 1]); if (i === starts[r]) path.moveTo(x, y); else path.lineTo(x, y); } }
    ctx.fillStyle = 'rgb(163 25 91 / .38)'; ctx.fill(path); ctx.strokeStyle = GE_NEW; ctx.lineWidth = 1.5; ctx.stroke(path);
  }
  geDrawHandles(ed, ctx, view);
  if (ed.line.length) {
    const points = [...ed.line, ...(ed.pointer ? [ed.pointer] : [])], closed = ed.mode === 'create' || ed.mode === 'give';
    ctx.beginPath(); points.forEach((p, i) => (i ? ctx.lineTo(view.x(p.x), view.y(p.y)) : ctx.moveTo(view.x(p.x), view.y(p.y))));
    if (closed && points.length > 2) { ctx.closePath(); ctx.fillStyle = 'rgb(163 25 91 / .14)'; ctx.fill(); }
    ctx.strokeStyle = '#fff'; ctx.lineWidth = 5; ctx.stroke(); ctx.strokeStyle = GE_NEW; ctx.lineWidth = 2.4; ctx.setLineDash(ed.busy ? [] : [7, 4]); ctx.stroke(); ctx.setLineDash([]);
    for (const p of ed.line) geDot(ctx, view.x(p.x), view.y(p.y), 4, '#fff', GE_NEW);
  }
  if (ed.snapped?.kind) geDot(ctx, view.x(ed.snapped.x), view.y(ed.snapped.y), 8, 'transparent', GE_NEW, ed.snapped.kind === 'vertices' || ed.snapped.kind === 'edges' ? 'round' : 'square');
  if (ed.fault) {
    const [w, n, e, s] = ed.fault, x = (view.x(w) + view.x(e)) / 2, y = (view.y(n) + view.y(s)) / 2, r = Math.max(16, Math.min(260, Math.hypot(view.x(e) - view.x(w), view.y(s) - view.y(n)) / 2 + 8));
    ctx.strokeStyle = '#fff'; ctx.lineWidth = 6; ctx.beginPath(); ctx.arc(x, y, r, 0, 7); ctx.stroke();
    ctx.strokeStyle = '#b3261e'; ctx.lineWidth = 3; ctx.setLineDash([9, 5]); ctx.stroke(); ctx.setLineDash([]);
  }
}

function geDot(ctx, x, y, r, fill, line, shape = 'round') {
  ctx.beginPath(); if (shape === 'square') ctx.rect(x - r, y - r, 2 * r, 2 * r); else ctx.arc(x, y, r, 0, 7);
  ctx.fillStyle = fill; ctx.fill(); ctx.strokeStyle = line; ctx.lineWidth = 2; ctx.stroke();
}

function geDrawHandles(ed, ctx, view) {
  const { vertices, sides } = ed.handles(view);
  for (const [a, b] of sides) { const x = view.x((ed.ground.xy[2 * a] + ed.ground.xy[2 * b]) / 2), y = view.y((ed.ground.xy[2 * a + 1] + ed.ground.xy[2 * b + 1]) / 2); ctx.globalAlpha = 0.75; geDot(ctx, x, y, 3, '#fff', '#5a7fb5'); ctx.globalAlpha = 1; }
  for (const v of vertices) {
    const x = view.x(ed.ground.xy[2 * v]), y = view.y(ed.ground.xy[2 * v + 1]), hot = v === ed.active;
    if (ed.ground.fixed[v]) geDot(ctx, x, y, 3, '#c3ccd2', '#66747d', 'square');
    else geDot(ctx, x, y, hot ? 7 : 5, hot ? '#ffd34d' : '#fff', GE_PICK);
  }
}
