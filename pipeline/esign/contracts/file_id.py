"""The current contract: the picture is uploaded first, and the create names its FileId."""

from __future__ import annotations

from pipeline.domain.seals import SealRequest
from pipeline.esign.contracts.base import Agent, Contract, CreateImage, dump_json, list_create_parameters


def build_create(agent: Agent, request: SealRequest, image: CreateImage) -> bytes:
    """Return the body of a create."""
    return dump_json(list_create_parameters(agent, request) | {"FileId": image.file_id})


FILE_ID = Contract(
    name="file_id",
    needs_upload=True,
    max_image_bytes=7_999_999,
    build_create=build_create,
)
