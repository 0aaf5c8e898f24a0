// One layer of the map by its road: a small layer drawn from one document, a large one from tiles, values as a picture.
const GG_TILE = 512;

async function ggFetch(url, options) {
  const answer = await fetch(url, options), kind = answer.headers.get('content-type') ?? '';
  // without our own routes Streamlit answers any address with its page
  if (!answer.ok || kind.startsWith('text/html')) throw new Error(`${answer.status} ${url}`);
  return answer;
}

function ggBytes(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

function ggCanvas(map, size, z) {
  // between two whole zooms a tile is shown larger than its size: draw it as fine as it will be shown
  const grown = Math.max(1, 2 ** (map.getZoom() - z)), canvas = document.createElement('canvas'), ratio = Math.min(2.5, (window.devicePixelRatio || 1) * grown);
  canvas.width = canvas.height = size * ratio;
  canvas.className = 'leaflet-tile';
  const ctx = canvas.getContext('2d');
  ctx.scale(ratio, ratio);
  return [canvas, ctx];
}

function ggMakeLayer(L, map, spec, report) {
  if (spec.road === 'image') {
    const [w, s, e, n] = spec.bounds, layer = L.imageOverlay(spec.url ?? spec.inline, [[s, w], [n, e]], { className: 'gg-cells', opacity: 1 });
    layer.on('load', () => report(spec.token, true)).on('error', () => report(spec.token, false));
    layer.hit = () => null;
    return layer;
  }
  const style = spec.style, spanOf = z => 2 ** -(z - 1);
  const Grid = L.GridLayer.extend({
    createTile(c, done) {
      const [canvas, ctx] = ggCanvas(map, GG_TILE, c.z), span = spanOf(c.z);
      const finish = error => setTimeout(() => done(error, canvas), 0);
      if (this.doc) { ggDraw(ctx, this.doc, style, c.x * span, c.y * span, span, GG_TILE); finish(); return canvas; }
      const abort = canvas.abort = new AbortController();
      ggFetch(`${spec.url}/${c.z - 1}/${c.x}/${c.y}`, { signal: abort.signal }).then(async answer => {
        if (answer.headers.get('content-type') === 'image/png') {
          const picture = await createImageBitmap(await answer.blob());
          ctx.imageSmoothingEnabled = false;
          ctx.drawImage(picture, 0, 0, GG_TILE, GG_TILE);
          canvas.picture = true;
        } else {
          const bytes = await answer.arrayBuffer();
          if (bytes.byteLength) { canvas.doc = ggDecode(bytes); ggDraw(ctx, canvas.doc, style, c.x * span, c.y * span, span, GG_TILE); }
        }
        finish();
      }).catch(error => { if (error.name !== 'AbortError') { report(spec.token, false); finish(error); } });
      return canvas;
    },
    // what lies at a point: {id, doc, shape}, 'ask' where only the server knows, null for nothing
    hit(latlng) {
      const [u, v] = ggWorld(latlng), reach = 6 / (256 * 2 ** map.getZoom());
      if (this.doc) { const shape = ggHit(this.doc, u, v, reach); return shape < 0 ? null : { doc: this.doc, shape, id: this.doc.ids[shape] }; }
      const z = this._tileZoom, count = 1 / spanOf(z), tile = this._tiles[`${Math.floor(u * count)}:${Math.floor(v * count)}:${z}`]?.el;
      if (!tile) return null;
      if (tile.picture) return 'ask';
      if (!tile.doc) return null;
      const shape = ggHit(tile.doc, u, v, reach);
      return shape < 0 ? null : { doc: tile.doc, shape, id: tile.doc.ids[shape], part: true };
    },
    // all pieces of a shape in the tiles on screen
    pieces(id) {
      const out = [];
      for (const { el, current } of Object.values(this._tiles)) if (current && el.doc) for (let s = 0; s < el.doc.n; s++) if (el.doc.ids[s] === id) out.push([el.doc, s]);
      return out;
    },
  });
  const layer = new Grid({ tileSize: GG_TILE, minZoom: 1, maxZoom: 22, keepBuffer: 1, updateWhenIdle: false, updateWhenZooming: false, noWrap: true, className: 'gg-tiles' });
  layer.on('tileunload', e => e.tile.abort?.abort());
  layer.on('load', () => report(spec.token, true));
  if (spec.road === 'folium') {
    const source = spec.inline ? Promise.resolve(ggBytes(spec.inline)) : ggFetch(spec.url).then(a => a.arrayBuffer());
    layer.createTile = (create => function (c, done) {
      if (this.doc) return create.call(this, c, done);
      const [canvas] = ggCanvas(map, 1, c.z);
      setTimeout(() => done(null, canvas), 0);
      return canvas;
    })(layer.createTile);
    layer.loaded = source.then(bytes => { layer.doc = ggDecode(bytes); if (layer._map) layer.redraw(); else report(spec.token, true); })
      .catch(() => report(spec.token, false));
    layer.off('load');
    layer.on('load', () => { if (layer.doc) report(spec.token, true); });
  }
  return layer;
}

// Tiles of a shifted base map (GCJ-02) are moved so that the place at the middle of the view is where it is; data never moves.
function ggBase(L, base) {
  const options = { attribution: '', maxNativeZoom: base.maxZoom, maxZoom: 22, zIndex: 0, className: 'gg-base', referrerPolicy: 'no-referrer' };
  if (!base.shift) return L.tileLayer(base.url, options);
  const { table, bounds } = base.shift, n = table.length - 1;
  const moved = center => {
    const [u, v] = ggWorld(center), clamp = t => Math.max(0, Math.min(n - 1e-9, t * n));
    const x = clamp((center.lng - bounds[0]) / (bounds[2] - bounds[0])), y = clamp((center.lat - bounds[1]) / (bounds[3] - bounds[1]));
    const i = Math.floor(y), j = Math.floor(x), a = y - i, b = x - j;
    const at = k => (1 - a) * ((1 - b) * table[i][j][k] + b * table[i][j + 1][k]) + a * ((1 - b) * table[i + 1][j][k] + b * table[i + 1][j + 1][k]);
    return L.latLng(ggLatLng(u + at(0) * 1e-10, v + at(1) * 1e-10));
  };
  const Shifted = L.TileLayer.extend({
    _setZoomTransform(level, center, zoom) { L.TileLayer.prototype._setZoomTransform.call(this, level, moved(L.latLng(center)), zoom); },
    _getTiledPixelBounds(center) { return L.TileLayer.prototype._getTiledPixelBounds.call(this, moved(L.latLng(center))); },
    _onMoveEnd() { if (this._map && !this._map._animatingZoom) { this._setZoomTransforms(this._map.getCenter(), this._map.getZoom()); } L.TileLayer.prototype._onMoveEnd.call(this); },
  });
  return new Shifted(base.url, options);
}
