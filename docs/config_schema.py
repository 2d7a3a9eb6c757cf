"""Writes docs/config.schema.json, the JSON Schema of config.yaml, as `esign-import config show --schema` prints it."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config.settings import build_json_schema

PATH = Path(__file__).with_name("config.schema.json")


def render_schema() -> str:
    """Return the schema as the command prints it."""
    return json.dumps(build_json_schema(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(render_schema(), encoding="utf-8")
