// What every component of ours starts with: Leaflet loaded once a page, elements made of text.
const ggScripts = new Map();

function ggLeaflet(assets) {
  if (window.L?.version === assets.version) return Promise.resolve(window.L);
  if (!ggScripts.has(assets.version)) ggScripts.set(assets.version, new Promise((resolve, reject) => {
    const script = document.createElement('script');
    if (assets.inline) script.textContent = assets.inline;
    else { script.src = assets.url; script.onload = () => resolve(window.L); script.onerror = () => reject(new Error(assets.url)); }
    document.head.append(script);
    if (assets.inline) resolve(window.L);
  }));
  return ggScripts.get(assets.version);
}

const ggNode = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  node.append(...children);                                        // strings become text, never markup
  return node;
};
