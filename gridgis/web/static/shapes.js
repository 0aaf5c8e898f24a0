// Shapes as flat arrays of whole numbers (gridgis/maps/compact.py writes them): read, draw, and find what lies at a point.
const GG_AREA = 0, GG_LINE = 1, GG_POINT = 2, GG_HOLE = 3;

function ggDecode(buffer) {
  const head = new DataView(buffer);
  if (buffer.byteLength < 40 || head.getUint32(0, true) !== 0x314D4747) throw new Error('not shapes');
  const n = head.getUint32(4, true), r = head.getUint32(8, true), p = head.getUint32(12, true);
  let at = 40;
  const words = (count, Kind) => { const part = new Kind(buffer, at, count); at += 4 * count; return part; };
  const bytes = count => { const part = new Uint8Array(buffer, at, count); at += count; return part; };
  const doc = {
    n, u0: head.getFloat64(16, true), v0: head.getFloat64(24, true), unit: head.getFloat64(32, true),
    ids: words(n, Uint32Array), first: words(n + 1, Uint32Array), start: words(r + 1, Uint32Array),
    xy: new Int32Array(words(2 * p, Int32Array)), cls: bytes(n), kind: bytes(r), extra: null,
  };
  const xy = doc.xy;
  for (let i = 2; i < xy.length; i++) xy[i] += xy[i - 2];           // points are written as differences
  const box = doc.box = new Int32Array(4 * n);
  for (let s = 0; s < n; s++) {
    let x0 = 2 ** 31 - 1, y0 = x0, x1 = -x0, y1 = -x0;
    for (let i = doc.start[doc.first[s]], end = doc.start[doc.first[s + 1]]; i < end; i++) {
      const x = xy[2 * i], y = xy[2 * i + 1];
      if (x < x0) x0 = x; if (x > x1) x1 = x; if (y < y0) y0 = y; if (y > y1) y1 = y;
    }
    box.set([x0, y0, x1, y1], 4 * s);
  }
  if (at < buffer.byteLength) doc.extra = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at)));
  return doc;
}

// Draw the part of a document that shows in a canvas of `size` pixels whose corner is (u, v) and whose side spans `span` world units.
function ggDraw(ctx, doc, style, u, v, span, size) {
  const k = doc.unit * size / span, dx = (doc.u0 - u) * size / span, dy = (doc.v0 - v) * size / span;
  const reach = Math.max(style.width, style.radius) + 2, low = -reach, high = size + reach;
  const { xy, start, first, kind, box } = doc, shown = [];
  for (let s = 0; s < doc.n; s++) {
    const b = 4 * s;
    if (box[b] > box[b + 2] || box[b] * k + dx > high || box[b + 2] * k + dx < low || box[b + 1] * k + dy > high || box[b + 3] * k + dy < low) continue;
    shown.push(s);
  }
  const path = ring => {
    let i = start[ring], end = start[ring + 1];
    ctx.moveTo(xy[2 * i] * k + dx, xy[2 * i + 1] * k + dy);
    for (i++; i < end; i++) ctx.lineTo(xy[2 * i] * k + dx, xy[2 * i + 1] * k + dy);
    if (kind[ring] !== GG_LINE) ctx.closePath();
  };
  if (style.opacity > 0) {
    ctx.globalAlpha = style.opacity;
    for (const s of shown) {
      ctx.fillStyle = style.colours[doc.cls[s]] ?? style.noData;
      ctx.beginPath();
      let any = false;
      for (let ring = first[s]; ring < first[s + 1]; ring++) if (kind[ring] === GG_AREA || kind[ring] === GG_HOLE) { path(ring); any = true; }
      if (any) ctx.fill('evenodd');
    }
  }
  ctx.globalAlpha = 1;
  if (style.width > 0) {
    ctx.strokeStyle = style.line;
    ctx.lineJoin = ctx.lineCap = 'round';
    // where cells are a few pixels wide, a full line would hide their colour
    const size0 = shown.length ? (box[4 * shown[0] + 2] - box[4 * shown[0]]) * k : 99;
    const lines = shown.some(s => kind[first[s]] === GG_LINE);
    ctx.lineWidth = style.width * (lines ? 1 : Math.min(1, Math.max(0.35, size0 / 40)));
    ctx.globalAlpha = lines ? 1 : Math.min(0.9, Math.max(0.35, size0 / 24));
    ctx.beginPath();
    for (const s of shown) for (let ring = first[s]; ring < first[s + 1]; ring++) if (kind[ring] !== GG_POINT) path(ring);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  for (const s of shown) for (let ring = first[s]; ring < first[s + 1]; ring++) if (kind[ring] === GG_POINT) {
    const i = start[ring], x = xy[2 * i] * k + dx, y = xy[2 * i + 1] * k + dy;
    ctx.beginPath(); ctx.arc(x, y, style.radius + 1.2, 0, 7); ctx.fillStyle = '#fff'; ctx.fill();
    ctx.beginPath(); ctx.arc(x, y, style.radius, 0, 7); ctx.fillStyle = style.colours[doc.cls[s]] ?? style.noData; ctx.fill();
  }
}

// The topmost shape at a world point, lines and points within `reach` world units; -1 for none.
function ggHit(doc, u, v, reach) {
  const x = (u - doc.u0) / doc.unit, y = (v - doc.v0) / doc.unit, d = reach / doc.unit, { xy, start, first, kind, box } = doc;
  for (let s = doc.n - 1; s >= 0; s--) {
    const b = 4 * s;
    if (x < box[b] - d || x > box[b + 2] + d || y < box[b + 1] - d || y > box[b + 3] + d) continue;
    let inside = false;
    for (let ring = first[s]; ring < first[s + 1]; ring++) {
      const from = start[ring], end = start[ring + 1];
      if (kind[ring] === GG_POINT) { if ((xy[2 * from] - x) ** 2 + (xy[2 * from + 1] - y) ** 2 <= d * d) return s; continue; }
      for (let i = from, j = kind[ring] === GG_LINE ? -1 : end - 1; i < end; j = i++) {
        if (j < 0) continue;
        const xi = xy[2 * i], yi = xy[2 * i + 1], xj = xy[2 * j], yj = xy[2 * j + 1];
        if (kind[ring] === GG_LINE) {
          const l = (xj - xi) ** 2 + (yj - yi) ** 2, t = l ? Math.max(0, Math.min(1, ((x - xi) * (xj - xi) + (y - yi) * (yj - yi)) / l)) : 0;
          if ((xi + t * (xj - xi) - x) ** 2 + (yi + t * (yj - yi) - y) ** 2 <= d * d) return s;
        } else if ((yi > y) !== (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
      }
    }
    if (inside) return s;
  }
  return -1;
}

// Rings of one shape as Leaflet wants them: [[lat, lng], …] each.
function ggOutline(doc, s) {
  const out = [];
  for (let ring = doc.first[s]; ring < doc.first[s + 1]; ring++) {
    if (doc.kind[ring] === GG_POINT) continue;
    const pts = [];
    for (let i = doc.start[ring]; i < doc.start[ring + 1]; i++) pts.push(ggLatLng(doc.u0 + doc.xy[2 * i] * doc.unit, doc.v0 + doc.xy[2 * i + 1] * doc.unit));
    if (doc.kind[ring] !== GG_LINE && pts.length) pts.push(pts[0]);
    out.push(pts);
  }
  return out;
}

const ggLatLng = (u, v) => [Math.atan(Math.sinh(Math.PI * (1 - 2 * v))) * 180 / Math.PI, (u - 0.5) * 360];
const ggWorld = ll => [ll.lng / 360 + 0.5, (1 - Math.asinh(Math.tan(Math.max(-85.0511, Math.min(85.0511, ll.lat)) * Math.PI / 180)) / Math.PI) / 2];
