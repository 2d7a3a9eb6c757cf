"""The first page where there is no configuration yet: it makes a hospital's folder, as `init` does, from what a person fills in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import web

from pipeline.config.sections import PLACEHOLDER
from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.esign.products import PRODUCTS
from pipeline.operations.init_project import (
    ProjectSettings,
    create_project,
    require_new_project,
)
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.security import Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language

KEYS = ("secret_id", "secret_key")
ENVIRONMENTS = ("test", "production")
IDS = tuple(name for product in PRODUCTS.values() for name in product.ids)
MAX_TEXT = 200  # characters of a value
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class SetupPage:
    """Asks for what a configuration needs; ``done`` is set when the folder is made."""

    def __init__(self, site: Site, view: PageView, done: asyncio.Event) -> None:
        self._site = site
        self._view = view
        self._turn = asyncio.Lock()
        self._done = done

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/", Role.SEND, self._show)
        yield Route("POST", "/setup", Role.SEND, self._create)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return self._render(request, {})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        """Make the folder, and lead on to the page that is served from then on."""
        form = await request.post()
        names = (*IDS, *KEYS, "environment", "product")
        values = {name: str(form.get(name, "")).strip()[:MAX_TEXT] for name in names}
        presenter = Presenter(choose_language(request))
        faults = {name: presenter.render(key) for name, key in _list_faults(values)}
        if faults:
            return self._render(request, values, faults=faults)
        product = PRODUCTS[values["product"]]
        settings = ProjectSettings(
            product=product,
            environment="test" if values["environment"] == "test" else "production",
            endpoint=product.endpoints[values["environment"]].general,
            language=presenter.language,
            ids={name: values[name] for name in product.ids},
            secrets=(values["secret_id"], values["secret_key"]),
        )
        async with self._turn:
            try:
                await self._site.read(_make_project, self._site.config_path.parent, settings)
            except (OSError, EsignImportError) as error:
                trouble = DiskTrouble.of(error) if isinstance(error, OSError) else error
                return self._render(request, values, failure=trouble.render(presenter.language))
        self._done.set()
        return self._view.render(request, "setup_done.html", title=presenter.render("setup.done"))

    def _render(
        self,
        request: web.Request,
        values: Mapping[str, str],
        *,
        faults: Mapping[str, str] | None = None,
        failure: str = "",
    ) -> web.Response:
        """Return the form; secrets that were typed are not sent back."""
        render = Presenter(choose_language(request)).render

        def describe_field(name: str) -> tuple[str, str, str]:
            """Return the name of a field, its label and its hint."""
            return name, render(f"setup.{name}"), render(f"setup.{name}.hint")

        return self._view.render(
            request,
            "setup.html",
            status=422 if faults or failure else 200,
            title=render("setup.title"),
            folder=str(self._site.config_path.parent),
            values={name: value for name, value in values.items() if name not in KEYS},
            faults=faults or {},
            failure=failure,
            products=[
                (name, render(f"setup.product.{name}"), [describe_field(key) for key in product.ids])
                for name, product in PRODUCTS.items()
            ],
            keys=[describe_field(name) for name in KEYS],
            environments=[(name, render(f"setup.environment.{name}")) for name in ENVIRONMENTS],
        )


def _list_faults(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each value that will not do, with the key of the reason."""
    product = PRODUCTS.get(values["product"])
    if product is None:
        yield "product", "setup.missing"
    for name in (*(product.ids if product else ()), *KEYS):
        if not values[name] or values[name] == PLACEHOLDER:
            yield name, "setup.missing"
        elif _PRINTABLE.fullmatch(values[name]) is None:
            yield name, "setup.unusual"
    if values["environment"] not in ENVIRONMENTS:
        yield "environment", "setup.missing"


def _make_project(folder: Path, settings: ProjectSettings) -> None:
    require_new_project(folder)
    create_project(folder, settings)
