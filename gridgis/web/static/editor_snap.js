// Snapping: the nearest vertex, else the nearest border, street, house or cell within reach of the pointer.
const GE_REACH = 12;

// nearest point of a segment to the origin, all in pixels: [distance, share]
function geNear(ax, ay, bx, by) {
  const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy, share = length ? Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length)) : 0;
  return [Math.hypot(ax + share * dx, ay + share * dy), share];
}

// what an edit snaps to: { x, y, told, kind }; told is what Python is told of the place
function geSnap(ed, x, y, skip = null) {
  const size = ed.scale(), reach = GE_REACH / size, on = ed.snaps, g = ed.ground, plain = { x, y, told: geLonLat(x, y), kind: null };
  let best = null, near = GE_REACH;
  if (on.vertices) for (let v = 0; v < g.fixed.length; v++) {
    const dx = g.xy[2 * v] - x, dy = g.xy[2 * v + 1] - y;
    if (dx > reach || dx < -reach || dy > reach || dy < -reach || v === skip) continue;
    const d = Math.hypot(dx, dy) * size;
    if (d < near) { near = d; best = { x: g.xy[2 * v], y: g.xy[2 * v + 1], told: v, kind: 'vertices' }; }
  }
  if (best) return best;
  if (on.edges) for (const ring of g.rings) {
    const box = ring.who >= 0 ? g.boxes[ring.who] : null;
    if (box && skip === null && (x < box[0] - reach || x > box[2] + reach || y < box[1] - reach || y > box[3] + reach)) continue;
    for (let i = 0, j = ring.at.length - 1; i < ring.at.length; j = i++) {
      const a = ring.at[j], b = ring.at[i];
      if (a === skip || b === skip) continue;
      const [d, share] = geNear((g.xy[2 * a] - x) * size, (g.xy[2 * a + 1] - y) * size, (g.xy[2 * b] - x) * size, (g.xy[2 * b + 1] - y) * size);
      if (d < near) { near = d; best = { x: g.xy[2 * a] + share * (g.xy[2 * b] - g.xy[2 * a]), y: g.xy[2 * a + 1] + share * (g.xy[2 * b + 1] - g.xy[2 * a + 1]), told: [a, b, share], kind: 'edges' }; }
    }
  }
  if (best || !ed.guides) return best ?? plain;
  const { xy, starts, boxes, kinds } = ed.guides;
  for (const kind of ['roads', 'buildings', 'cells']) if (on[kind]) for (let r = kinds[kind][0]; r < kinds[kind][1]; r++) {
    const box = boxes[r];
    if (x < box[0] - reach || x > box[2] + reach || y < box[1] - reach || y > box[3] + reach) continue;
    for (let i = starts[r]; i + 1 < starts[r + 1]; i++) {
      const ax = (xy[2 * i] - x) * size, ay = (xy[2 * i + 1] - y) * size, bx = (xy[2 * i + 2] - x) * size, by = (xy[2 * i + 3] - y) * size;
      const [d, share] = geNear(ax, ay, bx, by), corner = Math.min(Math.hypot(ax, ay), Math.hypot(bx, by));
      const pull = corner < GE_REACH ? d - 2 : d;                  // a corner wins over the middle of a side
      if (pull < near) {
        near = pull;
        const s = corner < GE_REACH ? (Math.hypot(ax, ay) < Math.hypot(bx, by) ? 0 : 1) : share;
        const px = xy[2 * i] + s * (xy[2 * i + 2] - xy[2 * i]), py = xy[2 * i + 1] + s * (xy[2 * i + 3] - xy[2 * i + 1]);
        best = { x: px, y: py, told: geLonLat(px, py), kind };
      }
    }
  }
  return best ?? plain;
}
