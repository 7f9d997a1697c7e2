"""How a report looks: on a light or dark screen, on a phone, on paper; and its tables' sorting."""

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root { color-scheme: light dark; --line: #8886; --text: #1a1a1a; --page: #fff; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --page: #16181c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .3rem; } .caption { margin: 0; opacity: .75; }
.answer { font-size: 1.15rem; } .warning { border: 2px solid #D55E00; padding: .6rem 1rem; border-radius: .4rem; }
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 1.5rem, transparent) local,
  linear-gradient(to left, var(--page) 1.5rem, transparent) right / 1.5rem 100% no-repeat local,
  linear-gradient(to left, #888b, transparent) right / 1rem 100% no-repeat scroll; }
.scroll:focus-visible { outline: 2px solid #0072B2; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th, .folding td { white-space: normal; } th { vertical-align: bottom; }
.folding th, .folding td { padding: .35rem .45rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; z-index: 1;
  background: var(--page); }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid #0072B2; }
th button::after { content: " \\2195"; opacity: .4; }
[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  th, td { padding: .35rem .4rem; font-size: .9rem; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
}
.js-plotly-plot text:not(.hoverlayer text, .heatmap-label text) { fill: var(--text) !important; } figure { margin: 0; }
.warning b { color: #D55E00; }
@media print {
  body { max-width: none; margin: 0; } h2, .caption { break-after: avoid; }
  .drawn, figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; background: none; }
  th, td { white-space: normal; font-size: .8rem; padding: .25rem .35rem; position: static !important; }
  .folding th, .folding td { padding: .25rem .35rem; }
  .sortable th, .sortable td { font-size: .6rem; padding: .15rem .2rem; }
  th button::after { content: none !important; }
}
"""
SCRIPT = """
const drawn = () => document.querySelectorAll(".js-plotly-plot");
const onPaper = 820;  // pixels that a page has room for under a heading and a caption
addEventListener("beforeprint", () => drawn().forEach(figure => {
  figure.dataset.height = figure.layout.height;
  Plotly.relayout(figure, {width: 680, height: Math.min(figure.layout.height, onPaper)});
}));
addEventListener("afterprint", () => drawn().forEach(figure =>
  Plotly.relayout(figure, {width: null, height: Number(figure.dataset.height), autosize: true})));
document.querySelectorAll("table.sortable th").forEach((head, column) => {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const rising = head.getAttribute("aria-sort") !== "ascending", body = head.closest("table").tBodies[0];
    const key = row => row.cells[column].textContent, number = text => parseFloat(text.replace("#", ""));
    const compare = (a, b) => (number(key(a)) - number(key(b))) || key(a).localeCompare(key(b));
    const rows = [...body.rows].sort((a, b) => rising ? compare(a, b) : compare(b, a));
    head.parentElement.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    body.append(...rows);
  });
});
"""
