"""Creates the folder of a hospital: config.yaml, folders for rosters, pictures and secrets, a roster template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.config.config_text import render_config
from pipeline.config.hospitals import COMMON, CONFIG, get_common_file
from pipeline.config.sections import PLACEHOLDER
from pipeline.config.settings import Config
from pipeline.config.yaml_loader import read_document
from pipeline.domain.roster import Field
from pipeline.errors import ConfigError, UsageError
from pipeline.esign.products import Product
from pipeline.messages.catalogue import name_field, render
from pipeline.support.atomic_files import make_folder, write_atomically, write_json

SCHEMA = "config.schema.json"
SECRETS = ("tencent__secret_id", "tencent__secret_key")
_IGNORED = ("secrets/", "state/", "out/", "inbox/", "seals/", "*.xlsx")
LAST_ROW = 5000  # of the template's drop-down lists
TEXT_FORMAT = "@"
_NEEDED = PatternFill("solid", fgColor="1F4E78")
_OPTIONAL = PatternFill("solid", fgColor="5B7083")
_WIDTHS: Mapping[Field, int] = {  # in characters
    Field.NAME: 14,
    Field.NUMBER: 24,
    Field.ID_TYPE: 26,
    Field.MOBILE: 16,
    Field.STAFF_NO: 14,
    Field.DEPARTMENT: 18,
    Field.SEAL_NAME: 24,
    Field.PICTURE: 24,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """The values of a new configuration."""

    product: Product
    environment: Literal["production", "test", "sandbox"]
    endpoint: str
    language: str
    ids: Mapping[str, str]  # of `Product.ids`; one that is missing stays to be filled in
    secrets: tuple[str, str] = ("", "")  # SecretId and SecretKey: of the sandbox alone
    common: Mapping[str, Any]  # keys that count without being written


def read_common_keys(folder: Path) -> Mapping[str, Any]:
    """Return the keys that a hospital in this folder has in common with others; none where their file has faults."""
    try:
        return read_document(get_common_file(folder / CONFIG)).values
    except ConfigError:
        return {}


def list_missing_ids(product: Product, *given: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the ids that are not given."""
    return [name for name in product.ids if not any(ids.get(name) for ids in given)]


def require_new_project(folder: Path) -> None:
    """Raise UsageError where a folder holds a configuration already, holds those of several hospitals, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise UsageError("init.is_a_file", path=folder)
    if (folder / CONFIG).exists():
        raise UsageError("init.exists", path=folder / CONFIG, then=("doctor", "--offline"))
    if (folder / COMMON).exists():
        raise UsageError("init.exists", path=folder / COMMON)


def create_project(folder: Path, settings: ProjectSettings) -> Path:
    """Write the files of a new hospital and return the path of its roster template; files that exist stay.

    config.yaml is written last: a project that was cut short can be begun again.
    """
    for name in ("inbox", "seals"):
        make_folder(folder / name)
    if "secrets_dir" not in settings.common:
        make_folder(folder / "secrets").chmod(0o700)
        for name, value in zip(SECRETS, settings.secrets, strict=True):
            _write_new(folder / "secrets" / name, value)
    _write_new(folder / ".gitignore", "".join(f"{name}\n" for name in _IGNORED))
    template = folder / render("init.template", settings.language)
    if not template.exists():
        write_atomically(template, lambda path: write_roster_template(path, settings.language))
    write_json(folder / SCHEMA, Config.model_json_schema())
    _write_new(folder / CONFIG, render_project_config(settings))
    return template


def render_project_config(settings: ProjectSettings) -> str:
    """Return the text of config.yaml: what a hospital fills in or decides, with comments in one language.

    Keys that it has in common with other hospitals are left out, other than the service and ids that are given.
    """
    missing = list_missing_ids(settings.product, settings.ids, settings.common.get("api") or {})
    ids = {**dict.fromkeys(missing, PLACEHOLDER), **settings.ids}
    usual = Config().model_dump()
    chosen = ("roster", "seals", "seal_name", "ledger", "out")
    own = {
        **{name: usual[name] for name in chosen},
        "limits": {"requests_per_second": usual["limits"]["requests_per_second"]},
        "guards": {"deadline": None},
        "retention": {"runs": "90d"},
        "backup": {"folder": None},
        "notify": {"urls": (), "name": None},
        "secrets_dir": "secrets",
        "language": settings.language,
    }
    api = {"endpoint": settings.endpoint, "product": settings.product.name, **ids}
    values = {"api": api, **{name: value for name, value in own.items() if name not in settings.common}}
    head = [f"# yaml-language-server: $schema={SCHEMA}", f"# {render('init.config', settings.language)}"]
    return "\n".join([*head, *render_config(values, [settings.language])]) + "\n"


def _write_new(path: Path, text: str) -> None:
    """Write a file (0600) that does not exist yet."""
    if not path.exists():
        write_atomically(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n" if text and not text.endswith("\n") else text, encoding="utf-8")


# -- the roster template


def write_roster_template(path: Path, language: str) -> None:
    """Write the template as .xlsx; every cell is text, so that Excel rounds no number and drops no zero."""
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    sheet.title = render("init.sheet", language)
    for column, (field, width) in enumerate(_WIDTHS.items(), 1):
        words = name_field(field, language)
        title = sheet.cell(1, column, words if language == "zh" else words.capitalize())
        title.font = Font(bold=True, color="FFFFFF")
        title.fill = _NEEDED if field in {Field.NAME, Field.NUMBER} else _OPTIONAL
        title.alignment = Alignment(horizontal="center", vertical="center")
        title.number_format = TEXT_FORMAT
        dimension = sheet.column_dimensions[get_column_letter(column)]
        dimension.width, dimension.number_format = width, TEXT_FORMAT
    sheet.row_dimensions[1].height = 24
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    _add_checks(sheet, language)
    workbook.save(path)


def _add_checks(sheet: Worksheet, language: str) -> None:
    """Offer the card types, and warn of a number that is not as long as a card's; blank cells are allowed.

    A card has 18 characters, a travel permit 11. Without a type it follows from the number.
    """
    first = _column_range(Field.NUMBER).partition(":")[0]
    lengths = f"OR(LEN({first})=18,LEN({first})=11)"
    card_types = f'"{render("init.card_types", language)}"'
    checks = {
        Field.ID_TYPE: DataValidation(type="list", formula1=card_types, allow_blank=True),
        Field.NUMBER: DataValidation(type="custom", formula1=lengths, allow_blank=True, errorStyle="warning"),
    }
    for field, check in checks.items():
        check.error = render(f"init.check.{field.value}", language)
        check.showErrorMessage = True
        check.add(_column_range(field))
        sheet.add_data_validation(check)


def _column_range(field: Field) -> str:
    letter = get_column_letter([*_WIDTHS].index(field) + 1)
    return f"{letter}2:{letter}{LAST_ROW}"
