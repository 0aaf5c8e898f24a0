// The ground as the editor holds it: one table of vertices that all rings share, so that neighbours cannot tear apart.
const geArray = (Kind, text) => new Kind(ggBytes(text));

const GE_FREE = -1, GE_OUTLINE = -2;
const geWorld = (lon, lat) => [(lon + 180) / 360, 0.5 - Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360)) / (2 * Math.PI)];
const geLonLat = (x, y) => [x * 360 - 180, (2 * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - Math.PI / 2) * 180 / Math.PI];

// points packed as whole steps from a middle -> flat x, y of the world square
function gePoints(doc) {
  const steps = geArray(Int32Array, doc.points), xy = new Float64Array(steps.length), [lon0, lat0] = doc.origin;
  for (let i = 0; i < steps.length; i += 2) [xy[i], xy[i + 1]] = geWorld(lon0 + steps[i] * doc.step, lat0 + steps[i + 1] * doc.step);
  return xy;
}

class GeGround {
  constructor(doc) {
    this.codes = doc.codes; this.names = doc.names; this.bounds = doc.bounds;
    this.saved = gePoints(doc); this.xy = this.saved.slice();
    const all = geArray(Uint32Array, doc.rings), starts = geArray(Uint32Array, doc.starts), owner = geArray(Int32Array, doc.owner), hole = geArray(Uint8Array, doc.hole);
    this.rings = Array.from(owner, (who, i) => ({ who, hole: hole[i] === 1, at: all.subarray(starts[i], starts[i + 1]) }));
    this.of = this.codes.map(() => []);                            // rings of each grid
    this.free = []; this.outline = [];
    for (const ring of this.rings) (ring.who >= 0 ? this.of[ring.who] : ring.who === GE_FREE ? this.free : this.outline).push(ring);
    this.index = new Map(this.codes.map((code, i) => [code, i]));
    this.boxes = this.of.map(rings => this.box(rings));
    this.fixed = new Uint8Array(this.xy.length / 2);               // vertices of the area's outline, which stay
    for (const ring of this.outline) for (const v of ring.at) this.fixed[v] = 1;
    this.users = null;
  }

  box(rings) {
    let [w, n, e, s] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const ring of rings) for (const v of ring.at) { const x = this.xy[2 * v], y = this.xy[2 * v + 1]; if (x < w) w = x; if (x > e) e = x; if (y < n) n = y; if (y > s) s = y; }
    return [w, n, e, s];
  }

  // the grids (and GE_FREE, GE_OUTLINE) that have a vertex
  sharing(v) {
    if (!this.users) {
      this.users = new Map();
      for (const ring of this.rings) for (const u of ring.at) { const set = this.users.get(u); if (set) set.add(ring.who); else this.users.set(u, new Set([ring.who])); }
    }
    return this.users.get(v) ?? new Set();
  }

  inside(rings, x, y) {
    let odd = false;
    for (const { at } of rings) for (let i = 0, j = at.length - 1; i < at.length; j = i++) {
      const ay = this.xy[2 * at[i] + 1], by = this.xy[2 * at[j] + 1];
      if ((ay > y) !== (by > y) && x < (this.xy[2 * at[j]] - this.xy[2 * at[i]]) * (y - ay) / (by - ay) + this.xy[2 * at[i]]) odd = !odd;
    }
    return odd;
  }

  hit(x, y) {
    for (let i = 0; i < this.of.length; i++) {
      const b = this.boxes[i];
      if (x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3] && this.inside(this.of[i], x, y)) return i;
    }
    return -1;
  }

  area(rings) {                                                    // in squares of the world; only ratios of it are used
    let sum = 0;
    for (const { at, hole } of rings) {
      let a = 0; const x0 = this.xy[2 * at[0]], y0 = this.xy[2 * at[0] + 1];
      for (let i = 0, j = at.length - 1; i < at.length; j = i++) a += (this.xy[2 * at[j]] - x0) * (this.xy[2 * at[i] + 1] - y0) - (this.xy[2 * at[i]] - x0) * (this.xy[2 * at[j] + 1] - y0);
      sum += (hole ? -1 : 1) * Math.abs(a) / 2;
    }
    return sum;
  }

  // a place for the label: inside, as far from the sides as a few level cuts find
  middle(i) {
    const [, n, , s] = this.boxes[i]; let best = null, wide = -1;
    for (const share of [0.5, 0.35, 0.65, 0.2, 0.8]) {
      const y = n + (s - n) * share + 1e-13, cuts = [];
      for (const { at } of this.of[i]) for (let k = 0, j = at.length - 1; k < at.length; j = k++) {
        const ay = this.xy[2 * at[k] + 1], by = this.xy[2 * at[j] + 1];
        if ((ay > y) !== (by > y)) cuts.push((this.xy[2 * at[j]] - this.xy[2 * at[k]]) * (y - ay) / (by - ay) + this.xy[2 * at[k]]);
      }
      cuts.sort((a, b) => a - b);
      for (let k = 0; k + 1 < cuts.length; k += 2) { const w = (cuts[k + 1] - cuts[k]) * (share === 0.5 ? 1.25 : 1); if (w > wide) { wide = w; best = [(cuts[k] + cuts[k + 1]) / 2, y, cuts[k + 1] - cuts[k]]; } }
    }
    return best;
  }

  middles() { return this.places ??= this.codes.map((_, i) => this.middle(i)); }
  moved(v, x, y) { this.xy[2 * v] = x; this.xy[2 * v + 1] = y; }
  sidesOfOutline() {
    if (!this.rim) { this.rim = new Set(); for (const { at } of this.outline) for (let i = 0, j = at.length - 1; i < at.length; j = i++) this.rim.add(this.side(at[i], at[j])); }
    return this.rim;
  }

  side(a, b) { return a < b ? `${a},${b}` : `${b},${a}`; }

  // a vertex more on the side from a to b, in every ring that has it; gone again with restore()
  insert(a, b) {
    const v = this.fixed.length, grown = new Float64Array(2 * v + 2), fixed = new Uint8Array(v + 1);
    grown.set(this.xy); fixed.set(this.fixed);
    grown[2 * v] = (this.xy[2 * a] + this.xy[2 * b]) / 2; grown[2 * v + 1] = (this.xy[2 * a + 1] + this.xy[2 * b + 1]) / 2;
    const sharing = new Set();
    for (const ring of this.rings) for (let i = 0, j = ring.at.length - 1; i < ring.at.length; j = i++) {
      if (!((ring.at[i] === a && ring.at[j] === b) || (ring.at[i] === b && ring.at[j] === a))) continue;
      ring.was ??= ring.at;
      ring.at = i ? Uint32Array.from([...ring.at.subarray(0, i), v, ...ring.at.subarray(i)]) : Uint32Array.from([...ring.at, v]);
      sharing.add(ring.who);
      break;
    }
    this.xy = grown; this.fixed = fixed;
    return [v, sharing];
  }

  restore() {
    this.xy = this.saved.slice(); this.fixed = this.fixed.slice(0, this.saved.length / 2);
    for (const ring of this.rings) if (ring.was) { ring.at = ring.was; delete ring.was; }
  }
}

class GeGuides {
  constructor(doc) {
    this.xy = gePoints(doc); this.starts = geArray(Uint32Array, doc.starts); this.owner = geArray(Int32Array, doc.owner);
    this.kinds = doc.kinds; this.cells = doc.cells; this.rings = new Map();
    const [from, to] = this.kinds.cells;
    for (let i = from; i < to; i++) { const cell = this.rings.get(this.owner[i]) ?? this.rings.set(this.owner[i], { at: [], box: [Infinity, Infinity, -Infinity, -Infinity] }).get(this.owner[i]); cell.at.push(i); this.grow(cell.box, i); }
    this.boxes = Array.from({ length: this.starts.length - 1 }, (_, i) => { const box = [Infinity, Infinity, -Infinity, -Infinity]; this.grow(box, i); return box; });
  }

  grow(box, i) {
    for (let k = this.starts[i]; k < this.starts[i + 1]; k++) { const x = this.xy[2 * k], y = this.xy[2 * k + 1]; if (x < box[0]) box[0] = x; if (y < box[1]) box[1] = y; if (x > box[2]) box[2] = x; if (y > box[3]) box[3] = y; }
  }

  cellAt(x, y) {
    for (const [cell, { box }] of this.rings) if (x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3] && this.inCell(cell, x, y)) return cell;
    return -1;
  }

  inCell(cell, x, y) {
    let odd = false;
    for (const r of this.rings.get(cell).at) for (let i = this.starts[r], end = this.starts[r + 1] - 1; i < end; i++) {
      const ay = this.xy[2 * i + 1], by = this.xy[2 * i + 3];
      if ((ay > y) !== (by > y) && x < (this.xy[2 * i + 2] - this.xy[2 * i]) * (y - ay) / (by - ay) + this.xy[2 * i]) odd = !odd;
    }
    return odd;
  }
}
