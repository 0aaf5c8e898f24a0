// The chooser component: shows what Python made (a chart, a table) and tells which of the marked parts was picked.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.gp-chooser');
  if (root.shown !== data.html) {
    // words and figures are escaped where the markup is made; focus stays on the part it was on
    const had = root.contains(document.activeElement) ? document.activeElement.closest('[data-plan]')?.dataset.plan : null;
    root.innerHTML = root.shown = data.html;
    if (had) root.querySelector(`[data-plan="${had}"][tabindex]`)?.focus({ preventScroll: true });
  }
  const pick = event => {
    const part = event.target.closest?.('[data-plan]');
    if (part && root.contains(part)) { event.preventDefault(); setTriggerValue('picked', Number(part.dataset.plan)); }
  };
  const light = event => {
    const over = event.type === 'mouseover' ? event.target.closest?.('[data-plan]')?.dataset.plan : null;
    for (const part of root.querySelectorAll('[data-plan]')) part.classList.toggle('over', part.dataset.plan === over);
  };
  root.onclick = pick;
  root.onkeydown = event => { if (event.key === 'Enter' || event.key === ' ') pick(event); };
  root.onmouseover = root.onmouseout = light;
}
