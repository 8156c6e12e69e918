"""SQLAlchemy: tables from classes, a session, reflection; Alembic: a schema changed step by step."""
import sys
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

import psycopg2  # noqa: F401

engine = sa.create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{sys.argv[1]}/postgres")


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(30), unique=True)
    addresses: Mapped[list["Address"]] = relationship(back_populates="person", cascade="all, delete-orphan")


class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    email: Mapped[str]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(back_populates="addresses")
    __table_args__ = (sa.CheckConstraint("email <> ''", name="email_there"),)


Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all([Person(name=f"n{i}", addresses=[Address(email=f"{i}@x"), Address(email=f"{i}@y")])
                     for i in range(20)])
    session.commit()
    query = sa.select(Person).where(Person.name == "n3").options(selectinload(Person.addresses))
    person = session.scalars(query).one()
    person.addresses.pop()
    session.commit()
    with session.begin_nested():
        session.delete(person)
    session.commit()
    rows = session.execute(sa.select(Address).execution_options(yield_per=7)).scalars()
    assert sum(1 for _ in rows) == 38

reflected = sa.MetaData()
reflected.reflect(engine)
assert sorted(reflected.tables) == ["address", "person"]
[key] = sa.inspect(engine).get_foreign_keys("address")
assert key["referred_table"] == "person" and key["options"] == {"ondelete": "CASCADE"}

with engine.begin() as connection:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, Base.metadata) == []
    change = Operations(context)
    change.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text))
    change.add_column("t", sa.Column("n", sa.Numeric(5, 2), server_default="1.5", nullable=False))
    change.create_index("t_a", "t", ["a"])
    change.create_unique_constraint("t_n", "t", ["n"])
    change.alter_column("t", "a", new_column_name="b", nullable=False, server_default="q")
    change.alter_column("t", "id", type_=sa.BigInteger)
    change.create_foreign_key("t_id", "t", "person", ["id"], ["id"], deferrable=True, initially="DEFERRED")
    change.drop_constraint("t_n", "t")
    change.rename_table("t", "u")
columns = {column["name"]: str(column["type"]) for column in sa.inspect(engine).get_columns("u")}
assert columns == {"id": "BIGINT", "b": "TEXT", "n": "NUMERIC(5, 2)"}, columns
