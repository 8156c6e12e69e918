"""Django: the migrations of its own applications there, back and there again; its ORM; introspection."""
import io
import sys
import django
from django.conf import settings

import psycopg2  # noqa: F401  (or the import fails and the test is skipped)

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
                           "HOST": "127.0.0.1", "PORT": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
                    "django.contrib.admin", "django.contrib.messages"],
    USE_TZ=True, SECRET_KEY="x", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, transaction  # noqa: E402

call_command("migrate", verbosity=0)
with transaction.atomic():
    ada, group = User.objects.create_user("ada", "a@b.c", "pw"), Group.objects.create(name="g")
    ada.groups.add(group)
assert list(User.objects.filter(groups__name="g").values_list("username", flat=True)) == ["ada"]
with transaction.atomic():
    assert User.objects.select_for_update().get(username="ada").pk == ada.pk
assert [user.pk for user in User.objects.iterator(chunk_size=1)] == [ada.pk]
try:
    with transaction.atomic(), connection.cursor() as cursor:
        # The reference is looked at when the transaction commits.
        cursor.execute("INSERT INTO auth_user_groups (user_id, group_id) VALUES (%s, 12345)", [ada.pk])
except IntegrityError as error:
    assert "auth_group" in str(error), error
else:
    raise AssertionError("a user of no group")
out = io.StringIO()
call_command("inspectdb", "auth_user", stdout=out)
assert "username = models.CharField(unique=True, max_length=150)" in out.getvalue()
call_command("flush", interactive=False, verbosity=0)
call_command("migrate", "auth", "0005", verbosity=0)
call_command("migrate", verbosity=0)
