"""SQLAlchemy makes an ENUM with its table, finds it by reflection, orders by it, and drops it."""

import enum
import sys

import psycopg2  # The driver that is named below.
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


class Mood(enum.Enum):
    sad = 1
    ok = 2
    happy = 3


engine = sa.create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{sys.argv[1]}/postgres")
metadata = sa.MetaData()
people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("mood", postgresql.ENUM(Mood, name="mood"), server_default="ok", index=True),
    sa.Column("moods", postgresql.ARRAY(postgresql.ENUM(Mood, name="mood", create_type=False))),
)
metadata.create_all(engine)
metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(people.insert(), [{"mood": Mood.happy, "moods": [Mood.ok]}, {"mood": Mood.sad, "moods": None}])
    connection.execute(people.insert().values(moods=[]))
    rows = connection.execute(sa.select(people.c.mood, people.c.moods).order_by(people.c.mood)).all()
    assert rows == [(Mood.sad, None), (Mood.ok, []), (Mood.happy, [Mood.ok])], rows
    above = connection.execute(sa.select(people.c.id).where(people.c.mood > Mood.sad)).all()
    assert len(above) == 2, above
inspector = sa.inspect(engine)
assert inspector.get_enums() == [{"name": "mood", "schema": "public", "visible": True, "labels": ["sad", "ok", "happy"]}], inspector.get_enums()
columns = {column["name"]: column for column in inspector.get_columns("people")}
assert columns["mood"]["type"].enums == ["sad", "ok", "happy"], columns["mood"]
assert columns["mood"]["default"] == "'ok'::mood", columns["mood"]
assert columns["moods"]["type"].item_type.name == "mood", columns["moods"]
reflected = sa.Table("people", sa.MetaData(), autoload_with=engine)
assert [index.name for index in reflected.indexes] == ["ix_people_mood"]
metadata.drop_all(engine)
assert sa.inspect(engine).get_enums() == []
