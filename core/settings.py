"""The settings: the only module that reads the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import InvalidSetting


class Settings(BaseSettings):
    """Every setting of Fencepost, read from environment variables of the same names in upper case.

    An empty variable counts as unset. Addresses of databases are secrets, because they may hold a password.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = None
    source_database_url: SecretStr | None = None
    migrate_database_url: SecretStr | None = None

    # Where the embedded database lies; relative to the folder that one stands in.
    fencepost_home: Path = Path(".fencepost")

    fencepost_demo: bool = False
    fencepost_allowed_hosts: str = ""

    # Lists with commas of addresses or `@domain`, each with `provider:` in front where there are several providers.
    fencepost_staff: str = ""
    fencepost_admins: str = ""
    fencepost_trust_email: str = ""
    # The claim that holds a person's address where it is not `email`: one, or a list as the ones above.
    fencepost_address_claim: str = ""
    # The claim that lists a person's groups, to which rights can be given; unset: none are read.
    fencepost_groups_claim: str = ""
    # Categories whose texts are shown only to those with the right to see withheld texts: a list with commas.
    fencepost_withheld: str = "underage"
    fencepost_session_hours: float = Field(default=12, gt=0, le=24 * 366, allow_inf_nan=False)
    # Minutes without an act of the person after which a session ends; unset: it lasts its hours.
    fencepost_idle_minutes: float | None = Field(default=None, ge=1, le=60 * 24 * 366, allow_inf_nan=False)

    # Minutes since the sign-in after which keys, the audit and exports of more than so many rows want another one.
    fencepost_step_up_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    fencepost_step_up_rows: int = Field(default=100_000, ge=0)

    # Days for which a key may live; unset: for good.
    fencepost_key_days: int | None = Field(default=None, ge=1, le=36_600)

    fencepost_audit_key: SecretStr | None = None
    # Keys that were in force before, with commas between them: what they signed can still be checked.
    fencepost_audit_former_keys: SecretStr = SecretStr("")

    # The other server's API key, for `python -m core sync`.
    fencepost_sync_key: SecretStr | None = None

    # Networks beside the world that webhooks may go to, and the seconds that an endpoint has to answer.
    fencepost_webhook_networks: str = ""
    fencepost_webhook_timeout: float = Field(default=15, gt=0, le=300, allow_inf_nan=False)

    fencepost_export_workers: int = Field(default=2, ge=1)
    fencepost_requests_per_minute: int = Field(default=60, ge=1)
    fencepost_exports_per_client: int = Field(default=2, ge=1)
    fencepost_exports_total: int = Field(default=4, ge=1)

    # Days for which rows are kept; 0: for ever. What proves something stays unless somebody says otherwise.
    fencepost_keep_audit_days: int = Field(default=0, ge=0, le=36_600)
    fencepost_keep_receipts_days: int = Field(default=0, ge=0, le=36_600)
    fencepost_keep_verdicts_days: int = Field(default=0, ge=0, le=36_600)
    fencepost_keep_sessions_days: int = Field(default=90, ge=0, le=36_600)
    fencepost_keep_drafts_days: int = Field(default=90, ge=0, le=36_600)

    # How the lines of the log look, and what a monitor has to send to read /metrics; without it there is none.
    fencepost_log: Literal["text", "json"] = "text"
    fencepost_metrics_token: SecretStr | None = Field(default=None, min_length=16)

    # Where traces go, as OpenTelemetry names it; its SDK reads the rest of its settings itself.
    otel_traces_exporter: str | None = None
    otel_exporter_otlp_endpoint: SecretStr | None = None
    otel_exporter_otlp_traces_endpoint: SecretStr | None = None
    otel_sdk_disabled: bool = False

    # Seconds.
    fencepost_send_timeout: float = Field(default=60, gt=0, allow_inf_nan=False)
    fencepost_page_timeout: float = Field(default=5, gt=0, allow_inf_nan=False)
    fencepost_first_byte_timeout: float = Field(default=50, gt=0, allow_inf_nan=False)

    # Where the dashboard listens: Streamlit's own setting, whose default is in .streamlit/config.toml.
    streamlit_server_port: int = Field(default=3051, ge=0, le=65535)

    @property
    def longest_key(self) -> timedelta | None:
        """How long a new API key may live; None: for good."""
        return None if self.fencepost_key_days is None else timedelta(days=self.fencepost_key_days)

    @property
    def traces_exporter(self) -> str | None:
        """The name of the exporter that traces go to; None: there are none."""
        is_told = self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint
        name = self.otel_traces_exporter or ("otlp" if is_told else None)
        return None if self.otel_sdk_disabled or name == "none" else name

    @property
    def embedded(self) -> bool:
        """Whether the embedded PostgreSQL is the database."""
        return self.database_url is None


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises `InvalidSetting`, which names the variable but never repeats its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]).upper()
        raise InvalidSetting(f"{name} is not valid: {first['msg']}. Correct or unset it.") from None
