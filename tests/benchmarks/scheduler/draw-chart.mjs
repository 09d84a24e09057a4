const WIDTH = 960;
const HEIGHT = 420;
const MARGIN = { left: 56, right: 130, top: 40, bottom: 44 };
const COLOURS = ['#7f7f7f', '#1f77b4', '#2ca02c', '#ff7f0e', '#d62728', '#9467bd'];

/** Lines over time as SVG; y from 0 to 1. `series`: { name, points: [x, y][] }. */
export function drawChart({ title, x, y, series }) {
  const xMax = Math.max(...series.flatMap(({ points }) => points.map(([at]) => at)));
  const left = (at) => MARGIN.left + (at / xMax) * (WIDTH - MARGIN.left - MARGIN.right);
  const top = (value) => HEIGHT - MARGIN.bottom - value * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const lines = series.map(({ name, points }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = points.map(([px, py]) => `${left(px).toFixed(1)},${top(py).toFixed(1)}`).join(' ');
    const labelY = MARGIN.top + 18 * (at + 1);
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path}"/>
<text x="${WIDTH - MARGIN.right + 8}" y="${labelY}" fill="${colour}">${name}</text>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${top(value)}" y2="${top(value)}" stroke="#ddd"/>
<text x="${MARGIN.left - 8}" y="${top(value) + 4}" text-anchor="end">${value}</text>`,
  );
  const hours = Array.from({ length: 7 }, (_, at) => (xMax * at) / 6).map(
    (at) => `<text x="${left(at)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${at.toFixed(0)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>
<text x="${MARGIN.left}" y="22" font-size="15">${title}</text>
<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>
<text x="14" y="${MARGIN.top - 8}">${y}</text>
${[...ticks, ...hours, ...lines].join('\n')}
</svg>
`;
}
