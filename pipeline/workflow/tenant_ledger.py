"""Finds, opens and takes the ledger of the configured tenant, the same for the command line and the Python API."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.clock import Clock, pause
from pipeline.config.settings import Config
from pipeline.domain.seals import Bearer
from pipeline.domain.site_key import SiteKey
from pipeline.errors import DiskTrouble, EsignImportError, LedgerError, Locked, UsageError
from pipeline.ledger.disk import get_network_disk_kind
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.opening import list_unseen_journals
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import join_messages
from pipeline.workflow.hosts_factory import LedgerLocation, make_location

if TYPE_CHECKING:
    from pipeline.ledger.maintenance import LedgerCheck

LOG = logging.getLogger(__name__)
EVENT_SECONDS = 1.0  # in which a holder enters an event that its journals hold
BETWEEN_LOOKS = 0.02  # seconds


class WarningOutput(Protocol):
    """Where errors go that are no reason to stop."""

    def print_warning(self, error: EsignImportError) -> None:
        """Show one of them."""


class WarningLog:
    """Enters warnings in the log of the program."""

    def print_warning(self, error: EsignImportError) -> None:
        LOG.warning("%s", error)


WARNING_LOG = WarningLog()


@contextmanager
def open_configured_ledger(
    config: Config, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> Iterator[tuple[Ledger, SiteKey]]:
    """Open the configured ledger for reading; UsageError where there is none, LedgerError where it is lost.

    A ledger that is behind its journals is repaired first, unless a process holds it; where that fails it is a warning.
    """
    location = make_location(config)
    repair_if_behind(location, clock, warnings)
    if not location.exists():
        raise UsageError("never_run", path=config.name_ledger(), then=("check",))
    with closing(location.open_for_reading()) as ledger:
        yield ledger, ledger.site_key


class LedgerOfCheck(NamedTuple):
    """The ledger of a check, and whether it is the truth; None where it could not be made."""

    ledger: Ledger | None = None
    site_key: SiteKey | None = None
    is_behind: bool = False  # it lacks what its journals hold


@contextmanager
def open_ledger_for_check(
    config: Config, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> Iterator[LedgerOfCheck]:
    """Open the configured ledger for reading; one that is missing is made, one that is behind its journals is repaired.

    Where a first one cannot be made, it is a warning, and the check has none. Raises LedgerError where the ledger is lost
    and cannot be made again from its journals.
    """
    location, is_behind = make_location(config), False
    if location.exists():
        is_behind = not repair_if_behind(location, clock, warnings)
    else:
        try:
            with _hold_open(location, "check", clock) as ledger:
                _report_repair(ledger, warnings)
        except (Locked, LedgerError) as error:
            if isinstance(error, LedgerError) and location.is_behind():
                raise LedgerError("ledger.missing", why=error.as_message()) from error
            warnings.print_warning(error)
    if not location.exists():
        warnings.print_warning(LedgerError("ledger.check_without"))
        yield LedgerOfCheck(is_behind=location.is_behind())
        return
    with closing(location.open_for_reading()) as ledger:
        yield LedgerOfCheck(ledger, ledger.site_key, is_behind)


def enter_checked_persons(
    config: Config, clock: Clock, persons: Sequence[Bearer], *, warnings: WarningOutput = WARNING_LOG
) -> None:
    """Enter the persons of the rows of a check; while a run holds the ledger they are left for the next opening.

    Where that fails it is a warning: the check is complete.
    """
    if not persons:
        return
    location = make_location(config)
    try:
        try:
            with _hold_open(location, "check", clock) as ledger:
                ledger.record_bearers(persons)
        except Locked:
            with closing(location.open_for_reading()) as ledger:
                location.places.leave_events(ledger.site_key, ledger.make_bearer_events(persons))
    except (LedgerError, OSError) as error:
        why = error if isinstance(error, LedgerError) else DiskTrouble.of(error)
        warnings.print_warning(why)
        warnings.print_warning(LedgerError("ledger.check_not_entered"))


@contextmanager
def lock_ledger(
    config: Config,
    run: str,
    clock: Clock,
    *,
    warnings: WarningOutput = WARNING_LOG,
) -> Iterator[tuple[Ledger, SiteKey]]:
    """Hold and open the configured ledger, repaired from its journals. Raises Locked.

    ``run`` is the id of the run, or what else holds it. ``warnings`` takes what was repaired.
    """
    location = make_location(config)
    with _hold_open(location, run, clock) as ledger:
        _report_repair(ledger, warnings)
        yield ledger, ledger.site_key


def require_ledger(config: Config) -> None:
    """Raise UsageError where there is no ledger, for commands that only make sense with one."""
    location = make_location(config)
    if not location.exists() and not location.is_behind():
        raise UsageError("never_run", path=config.name_ledger(), then=("check",))


def check_ledger(config: Config, clock: Clock, *, warnings: WarningOutput = WARNING_LOG) -> LedgerCheck:
    """Return what is wrong with the configured ledger and its journals; UsageError where there is none."""
    from pipeline.ledger.maintenance import check_events  # noqa: PLC0415 - no run needs it

    location = make_location(config)
    with open_configured_ledger(config, clock, warnings=warnings) as (ledger, site_key):
        journals = location.places.make_journals(site_key)
        try:
            return ledger.read(check_events, journals)
        except OSError as error:
            raise DiskTrouble.of(error) from error


def read_other_user(config: Config, clock: Clock) -> str | None:
    """Return another user who opened the ledger last: the journals of that user are in another state folder.

    None on a server, which many hosts and users open.
    """
    if config.is_ledger_on_server:
        return None
    with open_configured_ledger(config, clock) as (ledger, _):
        return ledger.get_other_user(read_user_name())


def is_all_on_one_machine(config: Config) -> bool:
    """Return whether a snapshot of this machine puts the ledger and both journals back together.

    Seals of a sandbox are made again without harm.
    """
    if config.is_ledger_on_server or get_service_environment(config.api.endpoint) == "sandbox":
        return False
    places = make_location(config).places
    return all(get_network_disk_kind(folder / "file") is None for folder in (places.state, places.share))


def explain_unshared_results(config: Config) -> LedgerError | None:
    """Return why the journals in the results folder are not those of all hosts; None for a ledger in a file.

    A local disk is no reason where the journals of other hosts lie on it: they reach it over the network.
    """
    if not config.is_ledger_on_server:
        return None
    location, host = make_location(config), socket.gethostname()
    share = location.places.share
    if location.exists():
        with closing(location.open_for_reading()) as ledger:
            journals = location.places.make_journals(ledger.site_key)
            try:
                if unseen := ledger.read(list_unseen_journals, journals):
                    names = join_messages([file.name for file in unseen])
                    return LedgerError(
                        "ledger.share_lacks_journals", folder=unseen[0].parent, host=host, names=names
                    )
                if journals.has_other_hosts():
                    return None
            except OSError as error:
                raise DiskTrouble.of(error) from error
    if get_network_disk_kind(share / "file") is not None:
        return None
    return LedgerError("ledger.share_on_local_disk", folder=share, host=host)


def repair_if_behind(location: LedgerLocation, clock: Clock, warnings: WarningOutput) -> bool:
    """Repair a ledger that lacks what its journals hold; return whether what it holds now is the truth.

    Raises LedgerError for one that is lost and cannot be made again.
    """
    return not location.is_behind() or repair_ledger(location, clock, warnings)


def repair_ledger(location: LedgerLocation, clock: Clock, warnings: WarningOutput) -> bool:
    """Repair a ledger that is behind its journals; return whether it holds all of them now, else warn of it.

    Raises LedgerError for one that is lost and cannot be made again, Locked for one that another process makes again.
    """
    try:
        with _hold_open(location, "repair", clock) as ledger:
            _report_repair(ledger, warnings)
    except Locked:
        is_repaired = not _stays_behind(location)
        if not location.exists():
            raise
    except (LedgerError, UsageError) as error:
        if not location.exists():
            raise LedgerError("ledger.missing", why=error.as_message()) from error
        warnings.print_warning(error)
        is_repaired = False
    else:
        is_repaired = True
    if not is_repaired:
        warnings.print_warning(LedgerError("ledger.behind"))
    return is_repaired


def _stays_behind(location: LedgerLocation) -> bool:
    """Return whether a ledger that a process holds stays behind its journals.

    It is behind for a moment with each event that the process enters, and what checks have left its next opening enters.
    """
    for _ in range(round(EVENT_SECONDS / BETWEEN_LOOKS)):
        if not location.is_behind(with_left=False):
            return False
        pause(BETWEEN_LOOKS)
    return True


@contextmanager
def _hold_open(location: LedgerLocation, run: str, clock: Clock) -> Iterator[Ledger]:
    """Acquire the hold of a ledger, and open it for writing."""
    with (
        location.hold.acquire(run=run, now=clock.now()),
        closing(location.open_for_writing(now=clock.now())) as ledger,
    ):
        yield ledger


def _report_repair(ledger: Ledger, warnings: WarningOutput) -> None:
    repair = ledger.repair
    if repair.damaged_ledger is not None:
        warnings.print_warning(LedgerError("ledger.damaged_set_aside", path=repair.damaged_ledger))
    for path in ledger.keys_set_aside:
        warnings.print_warning(LedgerError("ledger.key_set_aside", path=path))
    for path in repair.written_again:
        warnings.print_warning(LedgerError("ledger.place_written_again", folder=path))
    for path in repair.set_aside:
        warnings.print_warning(LedgerError("ledger.journal_set_aside", path=path))
    if repair.entered:
        waiting = sum(person.unresolved_attempt is not None for person in ledger.snapshot().people.values())
        warnings.print_warning(LedgerError("ledger.repaired", n=len(repair.entered), waiting=waiting))
    if repair.void:
        warnings.print_warning(LedgerError("ledger.decisions_void", n=len(repair.void)))
