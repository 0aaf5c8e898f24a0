// The hands: pointer and keyboard become one small operation each.
const GE_MODES = ['select', 'reshape', 'split', 'create', 'give', 'paint'];
const GE_HANDLES = 900;                                            // more than so many in view: zoom in first

class GeHands {
  constructor(ed) {
    this.ed = ed;
    const box = ed.canvas;
    box.addEventListener('pointerdown', e => this.down(e), { capture: true });
    box.addEventListener('pointermove', e => this.move(e));
    window.addEventListener('pointerup', this.onUp = e => this.up(e));
    window.addEventListener('pointercancel', this.onCancel = () => this.cancelDrag());
    box.addEventListener('pointerleave', () => { if (!ed.drag) { ed.pointer = ed.snapped = null; ed.repaint(); } });
    ed.map.on('click', e => this.click(e.originalEvent));
    ed.map.on('dblclick', () => this.finish());
    // keys count wherever nothing else has the focus
    document.addEventListener('keydown', this.onKey = e => { if (ed.root.contains(e.target) || e.target === document.body) this.key(e); });
  }

  world(e) {
    const box = this.ed.canvas.getBoundingClientRect(), map = this.ed.map;
    const p = map.containerPointToLayerPoint([e.clientX - box.left, e.clientY - box.top]).add(map.getPixelOrigin());
    return [p.x / this.ed.scale(), p.y / this.ed.scale()];
  }

  snap(e, skip = null) { const [x, y] = this.world(e); return e.altKey || !this.ed.snaps.on ? { x, y, told: geLonLat(x, y), kind: null } : geSnap(this.ed, x, y, skip); }

  handleAt(e) {
    const ed = this.ed, [x, y] = this.world(e), size = ed.scale(), { vertices, sides } = ed.handles();
    let found = null, near = e.pointerType === 'touch' ? 18 : 10;
    const g = ed.ground;
    for (const v of vertices) { const d = Math.hypot(g.xy[2 * v] - x, g.xy[2 * v + 1] - y) * size - (g.fixed[v] ? 0 : 1); if (d < near) { near = d; found = { vertex: v }; } }
    if (!found) for (const [a, b] of sides) { const d = Math.hypot((g.xy[2 * a] + g.xy[2 * b]) / 2 - x, (g.xy[2 * a + 1] + g.xy[2 * b + 1]) / 2 - y) * size; if (d < near) { near = d; found = { side: [a, b] }; } }
    return found;
  }

  down(e) {
    const ed = this.ed;
    if (e.button || !ed.ground || !e.isPrimary || e.target.closest('.ge-over')) return;
    ed.canvas.focus({ preventScroll: true });
    ed.panel.snap.open = ed.panel.wish.open = false;
    if (ed.busy) return;
    if (ed.mode === 'select') {
      const handle = this.handleAt(e);
      if (!handle || !ed.may()) return;
      this.hold(e);
      if (handle.vertex !== undefined) {
        ed.active = handle.vertex;
        if (ed.ground.fixed[handle.vertex]) { ed.tell(ed.data.text.outline_fixed); this.held = false; ed.map.dragging.enable(); ed.repaint(); return; }
        ed.drag = { kind: 'move_vertex', v: handle.vertex, from: [e.clientX, e.clientY] };
      } else ed.drag = { kind: 'add_vertex', side: handle.side, from: [e.clientX, e.clientY] };
    } else if (ed.mode === 'paint' && ed.may()) {
      if (ed.picked.size !== 1) { ed.tell(ed.data.text.paint_pick, true); return; }
      this.hold(e);
      ed.tip.remove(); ed.over = null;
      ed.drag = { kind: 'paint', last: this.world(e) };
      this.brush(e);
    }
  }

  hold(e) { this.held = true; this.ed.map.dragging.disable(); this.ed.canvas.setPointerCapture?.(e.pointerId); }

  move(e) {
    const ed = this.ed;
    if (!ed.ground) return;
    this.last = e;
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.follow(this.last); });
  }

  follow(e) {
    const ed = this.ed, drag = ed.drag;
    if (!ed.ground || ed.busy) return;
    if (drag?.kind === 'paint') this.brush(e);
    else if (drag) {
      if (!drag.begun) {
        if (Math.hypot(e.clientX - drag.from[0], e.clientY - drag.from[1]) < 3) return;
        ed.lift(drag);
      }
      const place = ed.snapped = this.snap(e, drag.v);
      drag.to = place;
      ed.ground.moved(drag.v, place.x, place.y);
      ed.weigh(drag);
    } else if (ed.mode !== 'select' && ed.mode !== 'paint') { ed.pointer = ed.snapped = this.snap(e); if (ed.line.length) ed.weighGround(); }
    else {
      const handle = ed.mode === 'select' ? this.handleAt(e) : null, grid = ed.ground.hit(...this.world(e));
      ed.canvas.style.cursor = handle ? (handle.vertex !== undefined && ed.ground.fixed[handle.vertex] ? 'not-allowed' : 'move') : ed.mode === 'paint' ? 'crosshair' : grid >= 0 ? 'pointer' : '';
      ed.point(grid);
      return;
    }
    ed.repaint();
  }

  up(e) {
    const ed = this.ed, drag = ed.drag;
    if (!this.held) return;
    this.held = false;
    ed.map.dragging.enable();
    if (!drag) return;
    if (this.frame) { cancelAnimationFrame(this.frame); this.frame = null; }
    if (drag.kind === 'paint') this.brush(e);
    else if (drag.begun || Math.hypot(e.clientX - drag.from[0], e.clientY - drag.from[1]) >= 3) this.follow(e);
    ed.drag = null; ed.snapped = null; this.quiet = performance.now();
    if (drag.kind === 'paint') {
      if (ed.brushed.size) ed.send({ do: 'assign', to: [...ed.picked][0], cells: [...ed.brushed].map(i => ed.guides.cells[i]) });
    } else if (!drag.begun) ed.repaint();
    else if (drag.kind === 'move_vertex') ed.send({ do: 'move_vertex', vertex: drag.v, to: drag.to.told });
    else ed.send({ do: 'add_vertex', edge: drag.side, to: drag.to.told });
  }

  cancelDrag() {
    const ed = this.ed;
    if (!ed.drag) return false;
    this.held = false; ed.map.dragging.enable(); ed.drag = null; ed.brushed.clear(); ed.settle();
    this.quiet = performance.now();
    return true;
  }

  brush(e) {
    const ed = this.ed, [x, y] = this.world(e), [x0, y0] = ed.drag.last, steps = Math.max(1, Math.ceil(Math.hypot(x - x0, y - y0) * ed.scale() / 4));
    for (let i = 0; i <= steps; i++) { const cell = ed.guides?.cellAt(x0 + (x - x0) * i / steps, y0 + (y - y0) * i / steps) ?? -1; if (cell >= 0) ed.brushed.add(cell); }
    ed.drag.last = [x, y];
    ed.weighGround();
    ed.repaint();
  }

  click(e) {
    const ed = this.ed;
    if (!ed.ground || ed.busy || performance.now() - (this.quiet ?? -1e9) < 60) return;
    if (ed.mode === 'select' || ed.mode === 'paint') {
      if (ed.mode === 'paint' && ed.picked.size === 1) return;
      if (ed.mode === 'select' && this.handleAt(e)) return;
      const grid = ed.ground.hit(...this.world(e));
      ed.active = null;
      ed.pick(grid < 0 ? null : ed.ground.codes[grid], e.shiftKey || e.ctrlKey || e.metaKey);
      return;
    }
    if (!ed.may()) return;
    const place = this.snap(e), last = ed.line.at(-1), size = ed.scale();
    if (last && Math.hypot(last.x - place.x, last.y - place.y) * size < 4) return;   // the second click of a double one
    ed.line.push(place);
    ed.hint();
    ed.repaint();
  }

  finish() {
    const ed = this.ed, least = ed.mode === 'create' || ed.mode === 'give' ? 3 : 2;
    if (!ed.line.length || ed.busy) return;
    if (ed.line.length < least) { ed.tell(ed.data.text[least === 3 ? 'need_three' : 'need_two']); return; }
    const line = ed.line.map(p => p.told);
    ed.pointer = ed.snapped = null;
    if (ed.mode === 'split') {
      const grid = ed.picked.size === 1 ? [...ed.picked][0] : this.under();
      if (!grid) { ed.tell(ed.data.text.split_pick, true); return; }
      ed.send({ do: 'split', grid, line });
    } else if (ed.mode === 'give') {
      if (ed.picked.size !== 1) { ed.tell(ed.data.text.paint_pick, true); return; }
      ed.send({ do: 'assign', to: [...ed.picked][0], line });
    } else ed.send({ do: ed.mode, line });
  }

  // the grid the greater part of the drawn line runs through
  under(line = this.ed.line) {
    const ed = this.ed, count = new Map();
    for (let i = 0; i + 1 < line.length; i++) for (let k = 1; k < 24; k++) {
      const a = line[i], b = line[i + 1], grid = ed.ground.hit(a.x + (b.x - a.x) * k / 24, a.y + (b.y - a.y) * k / 24);
      if (grid >= 0) count.set(grid, (count.get(grid) ?? 0) + Math.hypot(b.x - a.x, b.y - a.y));
    }
    const best = [...count].sort((a, b) => b[1] - a[1])[0];
    return best && ed.ground.codes[best[0]];
  }

  key(e) {
    if (!this.ed.ground) return;
    const ed = this.ed, command = e.ctrlKey || e.metaKey, letter = e.key.toLowerCase();
    if (e.target.matches('input, select, textarea') && e.key !== 'Escape') return;
    let done = true;
    if (e.key === 'Escape') { if (ed.panel.snap.open || ed.panel.wish.open) ed.panel.snap.open = ed.panel.wish.open = false; else if (!this.cancelDrag()) { if (ed.line.length) { ed.line = []; ed.snapped = null; ed.panel.hud(null); ed.hint(); ed.repaint(); } else if (ed.fault) ed.forgive(); else if (ed.mode !== 'select') ed.turn('select'); else ed.pick(null); } }
    else if (command && letter === 'z') ed.step(e.shiftKey ? 'redo' : 'undo');
    else if (command && letter === 'y') ed.step('redo');
    else if (e.key === 'Enter' && ed.line.length) this.finish();
    else if (e.key === 'Backspace' && ed.line.length) { ed.line.pop(); ed.hint(); ed.repaint(); }
    else if (e.key === 'Delete' || e.key === 'Backspace') this.remove();
    else done = false;
    if (done) { e.preventDefault(); e.stopPropagation(); }
  }

  remove() {
    const ed = this.ed;
    if (ed.busy || !ed.may()) return;
    if (ed.active === null) { ed.tell(ed.data.text.pick_vertex); return; }
    ed.send({ do: 'delete_vertex', vertex: ed.active });
  }

  close() { document.removeEventListener('keydown', this.onKey); window.removeEventListener('pointerup', this.onUp); window.removeEventListener('pointercancel', this.onCancel); }
}
