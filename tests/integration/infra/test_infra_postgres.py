

def test_pg(database, superuser):
    with superuser("tightrope") as c:
        print(c.execute("select version()").fetchone())
        assert c.execute("select count(*) from pg_roles where rolname='gateway'").fetchone()[0] == 1
