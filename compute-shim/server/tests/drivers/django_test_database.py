"""Django's test runner: it makes a database of its own, migrates it, and drops it."""
import sys
import django
from django.conf import settings

import psycopg2

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "postgres",
                           "HOST": "127.0.0.1", "PORT": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True, SECRET_KEY="x", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import get_runner  # noqa: E402


def databases():
    admin = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user="postgres", dbname="postgres")
    with admin.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
        names = [name for (name,) in cursor.fetchall()]
    admin.close()
    return names


admin = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user="postgres", dbname="postgres")
admin.autocommit = True
admin.cursor().execute("CREATE DATABASE test_shop")
admin.close()
# One that is left over is dropped first.
runner = get_runner(settings)(verbosity=0, interactive=False)
old = runner.setup_databases()
assert connection.settings_dict["NAME"] == "test_shop"
User.objects.create_user("ada")
assert User.objects.count() == 1
assert databases() == ["postgres", "test_shop"], databases()
runner.teardown_databases(old)
assert databases() == ["postgres"], databases()
