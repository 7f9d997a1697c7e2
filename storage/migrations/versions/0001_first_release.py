"""tables of the first release"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "amnl_range_tests",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("data_sha256", sa.String(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("curve", sa.Text(), nullable=False),
        sa.Column("suggestions", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "amnl_studies",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("data_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("prepared_at", sa.Double(), nullable=True),
        sa.Column("range_test_key", sa.String(), nullable=True),
        sa.Column("suggested_lr", sa.Double(), nullable=True),
        sa.Column("prior_low", sa.Double(), nullable=True),
        sa.Column("prior_high", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "amnl_workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.Double(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("stopped_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_amnl_workers_study"), "amnl_workers", ["study"], unique=False)
    op.create_table(
        "amnl_promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study"],
            ["amnl_studies.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study", "fingerprint"),
        sa.UniqueConstraint("study", "number"),
    )
    op.create_index(op.f("ix_amnl_promotions_study"), "amnl_promotions", ["study"], unique=False)
    op.create_table(
        "amnl_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("promotion", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column(
            "origin",
            sa.Enum("published defaults", "LR range test", "sampler", name="origin", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("trial_number", sa.Integer(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("waiting", "running", "complete", "pruned", "fail", name="runstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("epochs_done", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study"],
            ["amnl_studies.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study", "promotion", "slot"),
    )
    op.create_index(op.f("ix_amnl_runs_status"), "amnl_runs", ["status"], unique=False)
    op.create_index(op.f("ix_amnl_runs_study"), "amnl_runs", ["study"], unique=False)
    op.create_table(
        "amnl_epochs",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("train_rul_loss", sa.Double(), nullable=True),
        sa.Column("train_health_loss", sa.Double(), nullable=True),
        sa.Column("learning_rate", sa.Double(), nullable=False),
        sa.Column("validation_rmse", sa.Double(), nullable=True),
        sa.Column("best_validation_rmse", sa.Double(), nullable=True),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("recorded_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["amnl_runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "number"),
    )
    op.create_table(
        "amnl_test_scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("promotion_id", sa.Integer(), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("scored_by", sa.String(), nullable=False),
        sa.Column("scored_at", sa.Double(), nullable=False),
        sa.Column("data_sha256", sa.String(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["promotion_id"],
            ["amnl_promotions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("promotion_id", "look"),
    )


def downgrade() -> None:
    op.drop_table("amnl_test_scores")
    op.drop_table("amnl_epochs")
    op.drop_index(op.f("ix_amnl_runs_study"), table_name="amnl_runs")
    op.drop_index(op.f("ix_amnl_runs_status"), table_name="amnl_runs")
    op.drop_table("amnl_runs")
    op.drop_index(op.f("ix_amnl_promotions_study"), table_name="amnl_promotions")
    op.drop_table("amnl_promotions")
    op.drop_index(op.f("ix_amnl_workers_study"), table_name="amnl_workers")
    op.drop_table("amnl_workers")
    op.drop_table("amnl_studies")
    op.drop_table("amnl_range_tests")
