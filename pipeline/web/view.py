"""Renders the templates for one reader: in the language of the browser, whole or, for htmx, the part that changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import hdrs, web

from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.reports import html_pages
from pipeline.reports.html_pages import get_environment
from pipeline.reports.presenter import Presenter
from pipeline.version import PROGRAM, __version__
from pipeline.web.entrance import Entrance
from pipeline.web.security import IS_BEHIND, SESSION, SIGN_IN, Handler, RequestRefused, is_fragment

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("zh", "en")
MAX_DIGITS = 9  # of a place in a list
ANSWER_SECONDS = 120  # after which a page takes a request for lost
LAYOUT_SCRIPT = "layout.js"
LANGUAGE_COOKIE = f"{PROGRAM}-language"
PAGES = (
    ("/", "home"),
    ("/drop", "drop"),
    ("/rows", "rows"),
    ("/review", "review"),
    ("/send", "send"),
    ("/cases", "cases"),
    ("/runs", "runs"),
    ("/doctors", "doctors"),
)
ORDER = ("drop", "rows", "review", "send")  # in which the pages are usually gone through
# htmx: no style and no script of its own in the page, no copy of a page in the browser's storage, answers with faults are shown
HTMX_SETTINGS = json.dumps(
    {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "allowScriptTags": False,
        "historyCacheSize": 0,
        "defaultSettleDelay": 0,  # a form that is put in belongs to htmx at once, not after 20 ms
        "selfRequestsOnly": True,
        "timeout": ANSWER_SECONDS * 1000,
        "responseHandling": [
            {"code": "204", "swap": False},
            # what was typed stays where a session has ended or is another user's: the sentence stands above the page
            {
                "code": "40[13]",
                "swap": True,
                "error": True,
                "target": "#unsaved",
                "swapOverride": "innerHTML",
            },
            {"code": ".*", "swap": True},
        ],
    }
)


def parse_place(text: str) -> int:
    """Return the place in a list from which a page is asked for, 0 for what is none."""
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else 0


def make_redirect(path: str) -> web.Response:
    """Return an answer that leads the browser to a path of the page, by GET."""
    return web.Response(status=303, headers={hdrs.LOCATION: path})


def _get_way_back(request: web.Request) -> str:
    """Return the path of the page from which a request came that needs a session."""
    if request.method == hdrs.METH_GET:
        return request.path
    pages = (address for address, _ in PAGES[1:])
    return next((address for address in pages if f"{request.path}/".startswith(f"{address}/")), "/")


def _get_step(path: str) -> tuple[int, str | None] | None:
    """Return the place of a page in the usual order, and the page that follows; None for a page that is not in it."""
    for step, name in enumerate(ORDER, start=1):
        if path == f"/{name}" or path.startswith(f"/{name}/"):
            return step, ORDER[step] if step < len(ORDER) else None
    return None


def choose_language(request: web.Request) -> str:
    """Return the language of a reader: that of the switch, else the first of the browser's that there is, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted = _parse_languages(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
    return next((language for language in wanted if language in LANGUAGES), LANGUAGES[0])


def _parse_languages(header: str) -> Sequence[str]:
    """Return the languages of an Accept-Language, the most wanted first, without their countries."""
    weighted = []
    for part in header.split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weighted.append((weight, tag.partition("-")[0].lower()))
    return [tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight > 0]


class PageView:
    """Renders templates, also for a request that failed: ``report_failure`` gets a program error.

    ``tenant`` stands below every page. Who has no session gets the form to sign in where ``entrance`` asks for a password.
    """

    def __init__(
        self,
        tenant: str,
        entrance: Entrance,
        report_failure: Callable[[Exception], None],
    ) -> None:
        self._tenant = tenant
        self._entrance = entrance
        self._report_failure = report_failure
        self._environment = get_environment(TEMPLATES, html_pages.TEMPLATES)

    def render(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = 200,
        fragment: str = "",
        scripts: Sequence[str] = (),
        **values: object,
    ) -> web.Response:
        """Return a page; for htmx ``fragment`` alone, the template of the part that changed, where one is named.

        ``scripts`` are the page's own, by their names in the folder of static files.
        """
        language = choose_language(request)
        session = request.get(SESSION)
        name = fragment if fragment and is_fragment(request) else template
        text = self._environment.get_template(name).render(
            language=language,
            t=Presenter(language).render,
            path=request.path,
            pages=PAGES,
            page_step=_get_step(request.path),
            other_language=next(other for other in LANGUAGES if other != language),
            change_token=session.change_token if session else None,
            user=session.user if session else None,
            can_leave=self._entrance.has_cookie,
            scripts=(LAYOUT_SCRIPT, *scripts),
            htmx_settings=HTMX_SETTINGS,
            tenant=self._tenant,
            is_behind=request.get(IS_BEHIND, False),
            is_swapped=False,
            version=__version__,
            **values,
        )
        if IS_BEHIND in request and is_fragment(request):
            text += self.render_part(language, "behind.html", is_behind=request[IS_BEHIND], is_swapped=True)
        headers = {hdrs.VARY: f"{hdrs.ACCEPT_LANGUAGE}, {hdrs.COOKIE}, HX-Request"}
        return web.Response(text=text, status=status, headers=headers, content_type="text/html")

    def render_part(self, language: str, template: str, **values: object) -> str:
        """Return the text of a part of a page that needs no request: for a stream of events."""
        return self._environment.get_template(template).render(
            language=language, t=Presenter(language).render, **values
        )

    @web.middleware
    async def show_failures(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request that was refused, or whose page failed, with one sentence."""
        try:
            return await handler(request)
        except Exception as error:
            if isinstance(error, web.HTTPException) and error.status < web.HTTPBadRequest.status_code:
                raise
            return self._show_failure(request, error)

    def _show_failure(self, request: web.Request, error: Exception) -> web.Response:
        presenter = Presenter(choose_language(request))
        status, text = self._explain_failure(error, presenter)
        is_sign_in = self._entrance.asks_password and status in {401, 429}
        is_out = status == web.HTTPUnauthorized.status_code
        return self.render(
            request,
            "message.html",
            fragment="message_part.html",
            status=status,
            title=presenter.render("web.sign_in" if is_sign_in else "web.refused"),
            text=text,
            is_sign_in=is_sign_in,
            is_out=is_out and is_fragment(request),
            sign_in=request.get(SIGN_IN, {"name": "", "back": _get_way_back(request)}),
        )

    def _explain_failure(self, error: Exception, presenter: Presenter) -> tuple[int, str]:
        """Return the status and the sentence for a request that failed; numbers in it are masked."""
        if isinstance(error, RequestRefused):
            return error.status, error.message.render(presenter.language)
        if isinstance(error, web.HTTPRequestEntityTooLarge):
            return error.status, presenter.render("web.too_large")
        if isinstance(error, web.HTTPException):
            return error.status, presenter.render("web.no_page")
        if isinstance(error, OSError):
            error = DiskTrouble.of(error)
        if isinstance(error, EsignImportError):
            return 503, presenter.mask_text(error.render(presenter.language))
        kind = type(error).__name__
        self._report_failure(error)
        return 500, presenter.render("web.bug", kind=kind)
