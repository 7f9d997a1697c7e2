"""How a report looks: on a light or dark screen, on a phone, on paper; and its tables' sorting."""

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root { color-scheme: light dark; --line: #8886; --text: #1a1a1a; --page: #fff; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --page: #16181c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .3rem; } .caption { margin: 0; opacity: .75; }
.answer { font-size: 1.15rem; } .warning { border: 2px solid #D55E00; padding: .6rem 1rem; border-radius: .4rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.long, th:first-child, td:first-child { text-align: left !important; } .long { white-space: normal; min-width: 16rem; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid #0072B2; }
th button::after { content: " \\2195"; opacity: .4; }
[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
.js-plotly-plot text:not(.hoverlayer text) { fill: var(--text) !important; } figure { margin: 0; }
.warning b { color: #D55E00; }
@media print {
  body { max-width: none; margin: 0; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; } th, td { white-space: normal; font-size: .8rem; padding: .25rem .4rem; }
  th button::after { content: none !important; }
}
"""
SCRIPT = """
const drawn = () => document.querySelectorAll(".js-plotly-plot");
addEventListener("beforeprint", () => drawn().forEach(figure => Plotly.relayout(figure, {width: 680})));
addEventListener("afterprint", () => drawn().forEach(figure => Plotly.relayout(figure, {width: null, autosize: true})));
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
