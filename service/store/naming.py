"""How constraints and indexes are named where nobody names them; apart from the tables, for upgrades."""

import sqlalchemy as sa


def empty_metadata() -> sa.MetaData:
    """No tables yet, and the names that theirs get."""
    return sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
