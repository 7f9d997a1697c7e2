"""The login form: one small page that loads nothing."""

import html

from amnl_tune.results.dashboard.wsgi import Answer

__all__ = ["login_page"]

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --text: #1a1a1a; --soft: #5c6066; --line: #8886;
  --accent: #0a5f98; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #121316; --card: #1d1f24; --text: #e8e8e8; --soft: #a6abb3;
  --accent: #58b0e3; --wrong: #f2b8b5; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0; padding: 1rem;
  min-height: 100vh; display: grid; place-items: center; }
main { width: 100%; max-width: 24rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; } p { margin: 0 0 1.25rem; color: var(--soft); font-size: .95rem; }
label { display: block; font-size: .9rem; margin-bottom: 1rem; }
input { display: block; width: 100%; font: inherit; color: inherit; background: transparent; margin-top: .25rem;
  padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .4rem; }
button { width: 100%; font: inherit; font-weight: 600; padding: .6rem; border: 0; border-radius: .4rem; cursor: pointer;
  color: var(--card); background: var(--accent); }
input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.wrong { color: var(--wrong); font-weight: 600; }
code { font-size: .9em; }
"""

BY_TOKEN = (
    "Open the link that <code>amnl-tune dashboard</code> printed, or paste its token here.",
    '<label>Token<input name="password" type="password" required autofocus autocomplete="off"></label>',
)
BY_PASSWORD = (
    "Log in to see the studies.",
    '<label>User<input name="user" required autofocus autocomplete="username" autocapitalize="none"></label>'
    '<label>Password<input name="password" type="password" required autocomplete="current-password"></label>',
)


def login_page(*, action: str, target: str, by_token: bool, message: str = "") -> Answer:
    """The form.

    Args:
        action: where it is sent. target: where a right answer leads.
        by_token: ask for the token, not for user and password.
        message: what was wrong with the last try.
    """
    explanation, fields = BY_TOKEN if by_token else BY_PASSWORD
    wrong = f'<p class="wrong" role="alert">{html.escape(message)}</p>' if message else ""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in: amnl-tune</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main><h1>amnl-tune dashboard</h1><p>{explanation}</p>{wrong}"
        f'<form method="post" action="{html.escape(action)}">{fields}'
        f'<input type="hidden" name="next" value="{html.escape(target)}"><button>Log in</button></form>'
        "</main></body></html>"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    return Answer(body=page.encode(), headers=headers)
