// Figures while a border is dragged or ground is drawn: houses and incidents are counted anew in the grids it touches.
class GeTally {
  constructor(doc) {
    this.xy = gePoints(doc); this.houses = doc.houses ?? 0;
    this.known = { households: doc.households && geArray(Float32Array, doc.households), population: doc.population && geArray(Float32Array, doc.population), incidents: doc.incidents !== null };
  }

  // the points in and around the grids that move, and the grid each is in
  begin(ground, grids) {
    const boxes = grids.map(who => ground.boxes[who]), west = Math.min(...boxes.map(b => b[0])), north = Math.min(...boxes.map(b => b[1])), east = Math.max(...boxes.map(b => b[2])), south = Math.max(...boxes.map(b => b[3]));
    const at = [], was = [];
    for (let i = 0; i < this.xy.length / 2; i++) {
      const x = this.xy[2 * i], y = this.xy[2 * i + 1];
      if (x < west || x > east || y < north || y > south) continue;
      const who = grids.find(grid => ground.inside(ground.of[grid], x, y));
      if (who !== undefined) { at.push(i); was.push(who); }
    }
    return { at, was, grids };
  }

  // the points on ground that is brushed or drawn
  on(inside, [west, north, east, south]) {
    const found = [];
    for (let i = 0; i < this.xy.length / 2; i++) {
      const x = this.xy[2 * i], y = this.xy[2 * i + 1];
      if (x >= west && x <= east && y >= north && y <= south && inside(x, y)) found.push(i);
    }
    return found;
  }

  // what that ground would bring to a grid (null: a new one) and take from those that hold it, by figure
  brought(ground, points, target, figure) {
    const change = new Map([[target, {}]]);
    for (const name of ['households', 'population', 'incidents']) {
      if (!this.known[name]) continue;
      change.get(target)[name] = 0;
      for (const i of points) {
        const from = ground.hit(this.xy[2 * i], this.xy[2 * i + 1]), weight = this.weight(name, i);
        if (from === target || !weight) continue;
        const part = from < 0 ? weight : weight * (figure(from, name) ?? 0) / this.sum(ground, from, name);
        change.get(target)[name] += part;
        if (from < 0) continue;
        if (!change.has(from)) change.set(from, {});
        change.get(from)[name] = (change.get(from)[name] ?? 0) - part;
      }
    }
    return change;
  }

  // all that is counted in a grid
  sum(ground, who, name) {
    if (this.of !== ground) { this.of = ground; this.sums = new Map(); }
    const key = `${who} ${name}`;
    if (!this.sums.has(key)) this.sums.set(key, this.begin(ground, [who]).at.reduce((sum, i) => sum + this.weight(name, i), 0));
    return this.sums.get(key);
  }

  weight(name, i) { return name === 'incidents' ? +(i >= this.houses) : i < this.houses ? this.known[name][i] : 0; }

  // what each grid would win or lose of a figure; a register is shared out in the ratio of what is counted, as Python does
  moved(ground, begun, name, figure) {
    const change = new Map(begun.grids.map(who => [who, 0]));
    if (!this.known[name]) return null;
    const sums = new Map();
    begun.at.forEach((i, k) => sums.set(begun.was[k], (sums.get(begun.was[k]) ?? 0) + this.weight(name, i)));
    begun.at.forEach((i, k) => {
      const from = begun.was[k], x = this.xy[2 * i], y = this.xy[2 * i + 1], weight = this.weight(name, i);
      if (!weight || ground.inside(ground.of[from], x, y)) return;
      const to = begun.grids.find(who => who !== from && ground.inside(ground.of[who], x, y));
      if (to === undefined) return;
      const part = weight * (figure(from) ?? 0) / sums.get(from);
      change.set(from, change.get(from) - part); change.set(to, change.get(to) + part);
    });
    return change;
  }
}

// whether a place lies within corners, each { x, y }
const geWithin = (corners, x, y) => corners.reduce((odd, p, i) => { const q = corners.at(i - 1); return (p.y > y) !== (q.y > y) && x < (q.x - p.x) * (y - p.y) / (q.y - p.y) + p.x ? !odd : odd; }, false);
const geExtent = corners => { const xs = corners.map(p => p.x), ys = corners.map(p => p.y); return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]; };
const geGround = corners => Math.abs(corners.reduce((sum, p, i) => { const q = corners.at(i - 1); return sum + (q.x - corners[0].x) * (p.y - corners[0].y) - (p.x - corners[0].x) * (q.y - corners[0].y); }, 0)) / 2;

// the two parts a line cuts a ring into; null unless it crosses the ring exactly twice
function geHalves(ring, line) {
  const cuts = [];
  for (let k = 0; k + 1 < line.length; k++) for (let i = 0; i < ring.length; i++) {
    const p = line[k], r = { x: line[k + 1].x - p.x, y: line[k + 1].y - p.y }, a = ring[i], b = ring[(i + 1) % ring.length], s = { x: b.x - a.x, y: b.y - a.y }, turn = r.x * s.y - r.y * s.x;
    if (!turn) continue;
    const along = ((a.x - p.x) * s.y - (a.y - p.y) * s.x) / turn, at = ((a.x - p.x) * r.y - (a.y - p.y) * r.x) / turn;
    if (along >= 0 && along < 1 && at >= 0 && at < 1) cuts.push({ k, along, i, at, x: p.x + along * r.x, y: p.y + along * r.y });
  }
  if (cuts.length !== 2) return null;
  const [first, last] = cuts.sort((a, b) => a.k - b.k || a.along - b.along), inner = line.slice(first.k + 1, last.k + 1);
  const round = (from, to) => { const found = []; let i = from.i; if (from.i === to.i && from.at <= to.at) return found; do { i = (i + 1) % ring.length; found.push(ring[i]); } while (i !== to.i); return found; };
  return [[first, ...inner, last, ...round(last, first)], [first, ...inner, last, ...round(first, last).reverse()]];
}
