"""attempts, pruning decisions beside the curve, budgets in time, stopping a study"""

import json
import math
from collections import Counter
from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

DIVERGED_RMSE = 1000.0


def upgrade() -> None:
    op.create_table(
        "amnl_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("epochs_before", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("epochs_after", sa.Integer(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum("finished", "released", "failed", "vanished", name="outcome", native_enum=False, length=32),
            nullable=True,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["amnl_runs.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run", "fence"),
    )
    _studies()
    for column in (
        sa.Column("optuna_version", sa.String(), nullable=True),
        sa.Column("torch_version", sa.String(), nullable=True),
        sa.Column("accelerators", sa.Double(), nullable=False, server_default="1"),
        sa.Column("clock_skew", sa.Double(), nullable=True),
        sa.Column("artifacts", sa.Text(), nullable=True),
    ):
        op.add_column("amnl_workers", column)
    _runs()
    _epochs()
    _bins()
    _tallies()


def _studies() -> None:
    for name in ("stopped_at", "wall_time", "busy_limit"):
        op.add_column("amnl_studies", sa.Column(name, sa.Double(), nullable=True))
    studies = sa.table("amnl_studies", sa.column("name"), sa.column("spec"), sa.column("wall_time"))
    op.add_column("amnl_studies", sa.Column("busy_seconds", sa.Double(), nullable=False, server_default="0"))
    connection = op.get_bind()
    for name, spec in connection.execute(sa.select(studies.c.name, studies.c.spec)).all():
        wall_time = json.loads(spec)["budget"]["wall_time"]
        connection.execute(sa.update(studies).where(studies.c.name == name).values(wall_time=wall_time))


def _runs() -> None:
    op.add_column("amnl_runs", sa.Column("trial_id", sa.Integer(), nullable=True))
    op.add_column("amnl_runs", sa.Column("bracket", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("amnl_runs", sa.Column("busy_seconds", sa.Double(), nullable=False, server_default="0"))
    op.execute(
        "update amnl_runs set busy_seconds = coalesce((select sum(e.seconds) from amnl_epochs e where e.run = "
        "amnl_runs.id), 0)"
    )
    op.execute(
        "update amnl_studies set busy_seconds = coalesce((select sum(r.busy_seconds) from amnl_runs r where r.study = "
        "amnl_studies.name and r.promotion = 0 and r.status in ('complete', 'pruned', 'fail')), 0)"
    )


def _epochs() -> None:
    """Every epoch's row as the new version would have written it; its competition is found by study and number."""
    with op.batch_alter_table("amnl_epochs") as table:
        table.add_column(sa.Column("study", sa.String(), nullable=True))
        table.add_column(sa.Column("bracket", sa.Integer(), nullable=True))
        table.add_column(sa.Column("bin", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("reported", sa.Double(), nullable=True))
        table.add_column(sa.Column("pruned", sa.Boolean(), nullable=True))
    run = "(select r.{} from amnl_runs r where r.id = amnl_epochs.run)"
    op.execute(
        f"update amnl_epochs set study = {run.format('study')}, "
        f"bracket = case when {run.format('promotion')} = 0 then 0 end, "
        f"reported = case when validation_rmse is null then {DIVERGED_RMSE} else best_validation_rmse end, "
        f"pruned = (select r.status = 'pruned' and r.epochs_done = amnl_epochs.number and r.reason is null "
        "from amnl_runs r where r.id = amnl_epochs.run)"
    )
    with op.batch_alter_table("amnl_epochs") as table:
        for name, kind in (("study", sa.String()), ("reported", sa.Double()), ("pruned", sa.Boolean())):
            table.alter_column(name, existing_type=kind, nullable=False)
    with op.batch_alter_table("amnl_epochs") as table:
        table.alter_column("bin", existing_type=sa.Integer(), server_default=None)
    op.create_index(
        "ix_amnl_epochs_competition", "amnl_epochs", ["study", "bracket", "number", "bin", "reported"], unique=False
    )


def _bins() -> None:
    """As `ledger/standing.py` had them at this revision: 256 an octave."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("select run, number, reported from amnl_epochs")).all()
    bins = [
        {"row": run, "at": number, "bin": math.floor(256 * math.log2(reported)) if reported > 0 else -(2**30)}
        for run, number, reported in rows
    ]
    if bins:
        connection.execute(sa.text("update amnl_epochs set bin = :bin where run = :row and number = :at"), bins)


def _tallies() -> None:
    op.create_table(
        "amnl_tallies",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("bracket", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study", "bracket", "number", "bin"),
    )
    connection = op.get_bind()
    pruners = {
        name: json.loads(spec)["pruner"]["name"]
        for name, spec in connection.execute(sa.text("select name, spec from amnl_studies")).all()
    }
    reports = connection.execute(
        sa.text(
            "select e.study, e.bracket, e.number, e.bin, r.status from amnl_epochs e join amnl_runs r on r.id = e.run "
            "where r.promotion = 0"
        )
    ).all()
    competing: Iterable[tuple[str, int, int, int]] = (
        (study, bracket, number, bin_)
        for study, bracket, number, bin_, status in reports
        if status == "complete" or pruners[study] not in {"MedianPruner", "PercentilePruner"}
    )
    names = ("study", "bracket", "number", "bin", "trials")
    tallies = [dict(zip(names, (*key, trials), strict=True)) for key, trials in Counter(competing).items()]
    if tallies:
        columns = (sa.column(name) for name in names)
        connection.execute(sa.insert(sa.table("amnl_tallies", *columns)), tallies)


def downgrade() -> None:
    op.drop_table("amnl_tallies")
    op.drop_index("ix_amnl_epochs_competition", table_name="amnl_epochs")
    with op.batch_alter_table("amnl_epochs") as table:
        for name in ("study", "bracket", "bin", "reported", "pruned"):
            table.drop_column(name)
    for name in ("trial_id", "bracket", "busy_seconds"):
        op.drop_column("amnl_runs", name)
    for name in ("optuna_version", "torch_version", "accelerators", "clock_skew", "artifacts"):
        op.drop_column("amnl_workers", name)
    for name in ("stopped_at", "wall_time", "busy_limit", "busy_seconds"):
        op.drop_column("amnl_studies", name)
    op.drop_table("amnl_attempts")
