"""A site key whose digests a test can read: each is the text itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.domain.site_key import SiteKey


@dataclass(frozen=True)
class ReadableKey(SiteKey):
    """Digests ``text`` as ``#text``, or as ``text`` with an empty ``sign``."""

    secret: bytes = b""
    tenant: str = "test"
    sign: str = "#"
    keys: Mapping[str, str] = field(default_factory=dict)  # of people, by number

    def person(self, lifetime_number: str) -> str:
        return self.keys.get(lifetime_number, "?")

    def digest(self, text: str) -> str:
        return f"{self.sign}{text}"
