"""The older contract: the create holds the picture itself, and may open auto-sign."""

from __future__ import annotations

import re

from pipeline.domain.seals import SealRequest
from pipeline.esign.contracts.base import (
    OPTIONAL_PARAMETERS,
    PLACEHOLDER,
    Agent,
    Contract,
    CreateImage,
    dump_with_image,
    list_create_parameters,
)


def build_create(agent: Agent, request: SealRequest, image: CreateImage) -> bytes:
    """Return the body of a create."""
    parameters = list_create_parameters(agent, request, OPTIONAL_PARAMETERS) | {"SealImage": PLACEHOLDER}
    return dump_with_image(parameters, "SealImage", image.data)


INLINE = Contract(
    name="inline",
    needs_upload=False,
    max_image_bytes=5_000_000,
    advised_image_bytes=2_000_000,
    optional_parameters=frozenset(OPTIONAL_PARAMETERS),
    switched_off=re.compile(
        "(缺少|为空|不能为空|缺失).{0,6}印章图片|印章图片.{0,8}(缺少|为空|不能为空|缺失)"
    ),
    build_create=build_create,
)
