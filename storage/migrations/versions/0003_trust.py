"""where a study's first trials come from, and what a choice by the test engines would have claimed"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("amnl_studies", sa.Column("warm_start", sa.Text(), nullable=True))
    op.add_column("amnl_promotions", sa.Column("contaminated_by", sa.String(), nullable=True))
    op.add_column("amnl_promotions", sa.Column("contaminated_at", sa.Double(), nullable=True))
    op.add_column("amnl_promotions", sa.Column("test_selection", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("amnl_promotions") as table:
        for name in ("contaminated_by", "contaminated_at", "test_selection"):
            table.drop_column(name)
    with op.batch_alter_table("amnl_studies") as table:
        table.drop_column("warm_start")
