"""The dashboard, put together."""

import optuna_dashboard
from optuna.storages import RDBStorage

from amnl_tune.results.dashboard.annotations import annotated
from amnl_tune.results.dashboard.guard import Rules, guarded
from amnl_tune.results.dashboard.mount import mounted
from amnl_tune.results.dashboard.routes import with_our_pages
from amnl_tune.results.dashboard.stock import stock_pages
from amnl_tune.results.dashboard.stock_requests import well_formed
from amnl_tune.results.dashboard.wsgi import WsgiApp
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.optuna_parts import experiments_intended

__all__ = ["dashboard_app"]


def dashboard_app(
    ledger: Ledger, storage: RDBStorage, artifacts: Artifacts, rules: Rules, *, prefix: str = ""
) -> WsgiApp:
    """Optuna's application on the ledger's database, with what is ours around it.

    Args:
        ledger: our tables. storage: Optuna's, on the same database. artifacts: where the runs' files are.
        rules: who may do what.
        prefix: of all paths, like `/amnl`; "" for none.

    Raises:
        StorageError: the database refuses. ConfigurationError: the installed optuna-dashboard takes no prefix.
    """
    with experiments_intended():
        app: WsgiApp = optuna_dashboard.wsgi(storage)
    app = well_formed(app, storage)
    app = stock_pages(app, prefix, allow_edits=rules.allow_edits)
    app = annotated(app, ledger, artifacts)
    app = with_our_pages(app, ledger)
    return mounted(guarded(app, rules), prefix)
