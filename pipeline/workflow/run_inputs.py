"""What a run reads of its rosters and lists of its pictures, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.intake.corrections import LoadedRows, load_rows
from pipeline.intake.pairing.image_index import ImageListing, list_images
from pipeline.ledger.tenant import SiteKey
from pipeline.workflow.stage_settings import build_read_options


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The rows of the rosters, the reports of their files, and the files that may be pictures."""

    rosters: LoadedRows
    images: ImageListing


def read_inputs(request: RunRequest, config: Config, site_key: SiteKey | None) -> RunInputs:
    """Read the rosters, and the rows of other rosters that they are compared with; list the pictures."""
    rosters = load_rows(
        request.rosters,
        request.context,
        columns=config.columns,
        options=build_read_options(request, config),
        to_fix_only=request.to_fix_only,
        roster_unverified=request.roster_unverified,
        site_key=site_key,
    )
    return RunInputs(rosters, list_images(request.seals))
