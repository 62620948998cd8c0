"""Every setting, driven by the environment, so that differences between places are data.

`SANDBOX=1` is the demo world: secrets have fixed, public values there, and pages may be served
without TLS. Everywhere else a secret that is missing is an error, here and at once.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from issuer import env
from issuer.backoffice import theme
from issuer.operations import databases, embedded, logs, schedule

BASE_DIR = Path(__file__).resolve().parent.parent

SANDBOX = env.flag("SANDBOX", default=False)
DEBUG = False

#: What this installation keeps on its own disk: logs, static files and the embedded database.
#: The demo world has a place of its own, so that its data and real data never meet.
DATA_DIR = env.path(
    "DATA_DIR",
    embedded.default_data_directory(BASE_DIR / "var") / ("demo" if SANDBOX else "machine"),
)


def _secret(name: str) -> str:
    """Return a secret; only the demo world may do without, since its secrets guard nothing."""
    return env.secret(name, f"sandbox-{name.lower()}-{'0' * 40}" if SANDBOX else None)


# --- Secrets and addresses

SECRET_KEY = _secret("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]") if SANDBOX else ())
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
#: Wraps the keys under which the personal data of each party is encrypted.
KYC_MASTER_KEY = _secret("KYC_MASTER_KEY")
#: Signs statements of reserves: 32 bytes in hex. Its public half is registered before it signs.
ATTESTATION_KEY = env.secret("ATTESTATION_KEY", "5a" * 32 if SANDBOX else None)
#: What a scraper of /metrics presents; without one, nobody sees them outside the demo world.
METRICS_TOKEN = env.secret("METRICS_TOKEN", "")
#: Where the web server listens.
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, minimum=1)
WEB_PROCESSES = env.integer("WEB_PROCESSES", 1, minimum=1)
WEB_THREADS = env.integer("WEB_THREADS", 4, minimum=1)
WORKER_PROCESSES = env.integer("WORKER_PROCESSES", 2, minimum=1)
#: Where the outside reaches us; printed in documents and feeds.
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000" if SANDBOX else None).rstrip("/")


# --- Applications

ROOMS = [
    "foundation",
    "audit",
    "people",
    "approvals",
    "events",
    "ledger",
    "parties",
    "instruments",
    "gate",
    "custody",
    "kyc",
    "chain",
    "reserves",
    "primary_market",
    "corporate_actions",
    "reconciliation",
    "attestation",
    "api",
    "backoffice",
    "transparency",
    "operations",
    "sandbox",
]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it replaces
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "issuer.backoffice.apps.BackofficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_structlog",
    *(f"issuer.{room}" for room in ROOMS),
]

MIDDLEWARE = [
    "issuer.operations.middleware.ProbeMiddleware",  # before anything that asks for our name
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "issuer.backoffice.accounts.RequireSecondFactor",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "issuer.urls"
WSGI_APPLICATION = "issuer.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "issuer.backoffice.sites.on_account_pages",
            ],
        },
    },
]


# --- Database

#: Without `DATABASE_URL` the embedded PostgreSQL serves, on a Unix socket.
DATABASE_EMBEDDED = not env.secret("DATABASE_URL", "")
DATABASE_URL = env.secret("DATABASE_URL", embedded.database_url(DATA_DIR))
DATABASES: dict[str, dict[str, Any]] = {
    "default": databases.entry(
        DATABASE_URL,
        # No request may hold a lock or a snapshot for long: others wait behind it.
        statement_timeout=env.integer("DATABASE_STATEMENT_TIMEOUT_SECONDS", 30, minimum=1),
        lock_timeout=env.integer("DATABASE_LOCK_TIMEOUT_SECONDS", 10, minimum=1),
        idle_in_transaction_session_timeout=env.integer(
            "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_SECONDS", 60, minimum=1
        ),
    ),
}
if MIGRATION_DATABASE_URL := env.secret("MIGRATION_DATABASE_URL", ""):
    # The owner of the tables, who alone may change them; the application's role may not.
    DATABASES["owner"] = databases.entry(MIGRATION_DATABASE_URL, lock_timeout=10)


# --- Who acts

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["issuer.people.backends.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
ACCOUNT_ADAPTER = "issuer.backoffice.accounts.StaffAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SESSION_REMEMBER = False  # a session ends with the browser, or after its age
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
#: Whether staff must have a second factor before they see anything.
STAFF_MFA_REQUIRED = env.flag("STAFF_MFA_REQUIRED", default=not SANDBOX)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = SANDBOX
MFA_TOTP_ISSUER = "Issuer"


# --- Security of pages

SESSION_COOKIE_SECURE = not SANDBOX
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
CSRF_COOKIE_SECURE = not SANDBOX
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = not SANDBOX
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if SANDBOX else int(timedelta(days=365).total_seconds())
SECURE_HSTS_INCLUDE_SUBDOMAINS = not SANDBOX
SECURE_HSTS_PRELOAD = not SANDBOX
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20  # bytes
#: Uploads stay in memory, lest evidence touch the disk unencrypted; larger ones are dropped.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 11 * 2**20  # bytes of the whole request


# --- Language and time

LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "issuer.backoffice.formats"
#: How far the demo world's clock is ahead; no such file is read outside it.
CLOCK_OFFSET_FILE = DATA_DIR / "sandbox" / "clock-offset" if SANDBOX else None


# --- Files

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Not compressed: that takes 70 times as long, and a proxy does it as it serves.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
MEDIA_ROOT = DATA_DIR / "media"


# --- What people see

#: An older reconciliation says nothing of the present: the public page then says UNKNOWN.
RECONCILIATION_DUE_MINUTES = env.integer("RECONCILIATION_DUE_MINUTES", 60, minimum=1)

UNFOLD = theme.UNFOLD


# --- Interface for partners

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Issuer",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "AttestationState": "issuer.attestation.states.AttestationState",
        "CoverStatus": "issuer.reserves.cover.CoverStatus",
        "DepositState": "issuer.primary_market.states.DepositState",
        "GateState": "issuer.gate.models.GateState",
        "IssuanceState": "issuer.primary_market.states.IssuanceState",
        "RedemptionState": "issuer.primary_market.states.RedemptionState",
        "ReturnState": "issuer.primary_market.states.ReturnState",
        "WalletState": "issuer.parties.states.WalletState",
    },
}


# --- Work in the background

#: `pgmq://` queues in the same database; `amqp://…` is RabbitMQ.
BROKER_URL = env.secret("BROKER_URL", "pgmq://")
CELERY_BROKER_URL = BROKER_URL
#: Longer than any task may run, or a task that still runs is delivered again.
TASK_VISIBILITY_SECONDS = 600
if BROKER_URL.startswith("pgmq:"):
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "conn_string": databases.conninfo(DATABASE_URL),
        "init_extension": False,  # a migration installs the queues as plain SQL
        "visibility_timeout": TASK_VISIBILITY_SECONDS,
        "pool_size": 2,
        "polling_interval": 0.02,  # seconds between looks whether a process is free again
        "wait_time_seconds": 2,  # a worker that is told to stop waits so long for the last poll
    }
CELERY_TASK_DEFAULT_QUEUE = "issuer"
CELERY_TASK_ACKS_LATE = True  # a worker that dies in a task has the task delivered again
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = TASK_VISIBILITY_SECONDS - 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # nobody commands workers from afar
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat" / "schedule")
CELERY_BEAT_SCHEDULE = schedule.of(sandbox=SANDBOX)


# --- Chains

#: Where the nodes of each network are: {"eip155:1": {"rpc_urls": ["https://…"]}}, by CAIP-2.
NETWORKS: dict[str, dict[str, list[str]]] = env.mapping("NETWORKS")
#: The keys that sign there, by purpose; a successor's stands beside the one in use:
#: {"eip155:1": {"MINTER": ["0x…", "0x…"], "BURNER": ["0x…"], …}}.
SIGNER_KEYS: dict[str, dict[str, list[str]]] = env.mapping("SIGNER_KEYS")
#: Who is asked before a transaction is sent whether it is still wanted, by its kind.
TRANSACTION_GUARDS = {
    "MINT": "issuer.primary_market.guards.require_wanted",
    "BURN": "issuer.primary_market.guards.require_wanted",
    "RETURN": "issuer.primary_market.guards.require_wanted",
}
#: Who is asked before two persons' act on contracts is confirmed, and before it is signed, by kind.
CONFIRMATION_GUARDS = {"REVOKE_ROLE": "issuer.primary_market.guards.require_nothing_stranded"}
SIGNATURE_GUARDS = {"GRANT_ROLE": "issuer.reconciliation.guards.require_no_suspect"}
if SANDBOX:  # the demo world's own chains, and keys that guard nothing
    from issuer.sandbox import keys

    ANVIL_PORT = env.integer("ANVIL_PORT", 8545, minimum=1)
    SECOND_ANVIL_PORT = env.integer("SECOND_ANVIL_PORT", 8546, minimum=1)
    NETWORKS = {
        "eip155:31337": {"rpc_urls": [f"http://127.0.0.1:{ANVIL_PORT}"]},
        "eip155:31338": {"rpc_urls": [f"http://127.0.0.1:{SECOND_ANVIL_PORT}"]},
    } | NETWORKS
    SIGNER_KEYS = keys.SIGNER_KEYS | SIGNER_KEYS


# --- Custodians

#: Where custodians' files arrive, in a directory for each, named by its code.
CUSTODY_DROP_DIR = env.path("CUSTODY_DROP_DIR", DATA_DIR / "custody")


# --- Alerts

#: Who gets mail when minting stops or a grave break opens.
ALERT_MAIL_TO = env.words("ALERT_MAIL_TO", ("desk@sandbox.invalid",) if SANDBOX else ())
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", f"issuer@{urlsplit(PUBLIC_URL).hostname}")
EMAIL_HOST = env.text("MAIL_HOST", "localhost")
EMAIL_PORT = env.integer("MAIL_PORT", 25, minimum=1)
EMAIL_HOST_USER = env.text("MAIL_USER", "")
EMAIL_HOST_PASSWORD = env.secret("MAIL_PASSWORD", "")
EMAIL_USE_TLS = bool(EMAIL_HOST_USER)  # no password in the clear
EMAIL_TIMEOUT = 10  # seconds
#: Where alerts are posted as Standard Webhooks, and the secret that signs them: whsec_….
ALERT_WEBHOOK_URL = env.text("ALERT_WEBHOOK_URL", "")
ALERT_WEBHOOK_SECRET = env.secret("ALERT_WEBHOOK_SECRET", None if ALERT_WEBHOOK_URL else "")
if SANDBOX:  # mail lies in a folder, and the desk's pager is a file, too
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "sandbox" / "mail")
    PAGER_PORT = env.integer("PAGER_PORT", 8547, minimum=1)
    ALERT_WEBHOOK_URL = ALERT_WEBHOOK_URL or f"http://127.0.0.1:{PAGER_PORT}/"
    ALERT_WEBHOOK_SECRET = ALERT_WEBHOOK_SECRET or "whsec_c2FuZGJveC1wYWdlci1zZWNyZXQtaXMtcHVibGlj"


# --- Logs

structlog.configure(**logs.STRUCTLOG)
LOGGING = logs.configuration(level=env.text("LOG_LEVEL", "INFO"))
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # addresses are personal data
DJANGO_STRUCTLOG_CELERY_ENABLED = True
