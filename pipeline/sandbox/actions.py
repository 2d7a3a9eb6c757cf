"""The actions behind the gateway: parameters, then business; the seals, files and pictures they make."""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.sandbox.auto_sign import AutoSign, Response
from pipeline.sandbox.checks import (
    SCENES,
    check_agent,
    check_customer,
    check_mobile,
    check_person,
    check_shape,
    decode_inline_image,
    decode_uploads,
    get_lifetime_number,
    get_shape,
)
from pipeline.sandbox.gateway import (
    AUTO_SIGN_STATUS,
    CREATE,
    ENABLE_URL,
    ESS,
    ESSBASIC,
    ORGANIZATION_SEALS,
    SEAL_URL,
    UPLOAD,
    Call,
    LimiterKind,
    Order,
    Refusal,
    Tenant,
)

SEAL_NAME_LIMIT = 50  # code points
COLORS = ("BLACK", "RED", "BLUE")
FILE_LIFE = 600.0  # seconds from upload
ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Rules:
    """The switches of the fake service.

    ``inline``: ``on`` = the contract before FileId existed; ``transition`` = both; ``ignored`` = SealImage and its
    companions have no effect, as on the page today.
    ``unique_names``: how a seal name that the hospital has already is refused: by a code of its own, by a bare
    FailedOperation, or not at all. None: as the texts of each product have it, by the code in essbasic, not at all in ess.
    """

    inline: Literal["on", "transition", "ignored"] = "transition"
    unique_names: Literal["code", "bare", "off"] | None = None
    other_card_type: bool = False  # the white list for other cards is open
    limiter: LimiterKind = "rolling"
    rate: float = 20.0  # calls in a second, per SecretId and action


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal that was made, with everything that was said when it was."""

    seal_id: str
    organization: str
    number: str = field(repr=False)
    name: str = field(repr=False)
    id_card_type: str
    seal_name: str
    picture: str  # sha256 of the bytes that arrived
    contract: str  # file_id | inline
    mobile: str | None = field(repr=False)
    scene_key: str | None
    enable_auto_sign: bool | None
    license_type: int | None
    seal_image_compress: bool | None
    trace_id: str | None
    request_id: str
    created_at: float  # unix seconds
    process_seal: bool | None = None
    seal_color: str | None = None

    @property
    def person(self) -> tuple[str, str]:
        """Hospital and lifetime number: who the seal belongs to."""
        return self.organization, get_lifetime_number(self.number)


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture that got a FileId."""

    app_id: str
    sha256: str
    deadline: float  # unix seconds


class Actions:
    """The actions and the seals, files and pictures they leave behind."""

    def __init__(self, rules: Rules, identifiers: random.Random) -> None:
        self.seals: list[Seal] = []
        self.uploads: dict[str, Upload] = {}  # by FileId
        self.pictures: dict[str, bytes] = {}  # by sha256
        self._rules = rules
        self._random = identifiers
        self._names: set[tuple[str, str]] = set()  # hospital, seal name
        self._seal_ids: set[str] = set()
        self.auto_sign = AutoSign(identifiers)
        self._actions: Mapping[str, Callable[[Order], Response]] = {
            CREATE: self._create_seal,
            UPLOAD: self._store_files,
            AUTO_SIGN_STATUS: self.auto_sign.describe_status,
            ENABLE_URL: self.auto_sign.create_enable_link,
            SEAL_URL: self.auto_sign.create_seal_link,
            ORGANIZATION_SEALS: _list_no_seals,
        }

    def execute_call(self, call: Call, tenants: Sequence[Tenant], *, request_id: str, now: float) -> Response:
        """Do what an admitted call asks and return the answer, or raise Refusal having done nothing."""
        if call.parameters is None:
            raise Refusal("InvalidParameter", "The request body is not a JSON object.")
        shape = get_shape(call.operation, call.service)
        if call.operation == CREATE and self._rules.inline == "on" and call.service == ESSBASIC:
            del shape["FileId"]
        check_shape(call.parameters, shape)
        sent = {name: value for name, value in call.parameters.items() if value is not None}
        tenant = (check_customer if call.service == ESS else check_agent)(sent, tenants)
        order = Order(sent, tenant, call.trace_id, request_id, now, call.service)
        return self._actions[call.operation](order)

    def keep_seal(self, seal: Seal) -> None:
        """Enter a seal that was made."""
        self.seals.append(seal)
        self._seal_ids.add(seal.seal_id)
        self._names.add((seal.organization, seal.seal_name))

    def _create_seal(self, order: Order) -> Response:
        sent, organization = order.sent, order.tenant.organization_open_id
        self._check_create(sent, order.service)
        contract, picture = self._get_image(order)
        refusal = self._rules.unique_names or ("off" if order.service == ESS else "code")
        if refusal != "off" and (organization, sent["SealName"]) in self._names:
            if refusal == "bare":
                raise Refusal("FailedOperation", "存在同名印章")
            raise Refusal("FailedOperation.ExistSameSealName", "存在同名印章。")
        seal = Seal(
            seal_id=self._make_identifier(self._seal_ids),
            organization=organization,
            number=sent["IdCardNumber"],
            name=sent["UserName"],
            id_card_type=sent.get("IdCardType") or "ID_CARD",
            seal_name=sent["SealName"],
            picture=picture,
            contract=contract,
            mobile=sent.get("Mobile"),
            scene_key=sent.get("SceneKey"),
            enable_auto_sign=sent.get("EnableAutoSign"),
            license_type=sent.get("LicenseType"),
            seal_image_compress=sent.get("SealImageCompress"),
            process_seal=sent.get("ProcessSeal"),
            seal_color=sent.get("SealColor"),
            trace_id=order.trace_id,
            request_id=order.request_id,
            created_at=order.now,
        )
        self.keep_seal(seal)
        return {"SealId": seal.seal_id}

    def _check_create(self, sent: Mapping[str, Any], service: str) -> None:
        number, card_type = sent["IdCardNumber"], sent.get("IdCardType", "")
        if service == ESS and card_type == "OTHER_CARD_TYPE":
            raise Refusal("InvalidParameter.CardType")
        check_person(sent["UserName"], number, card_type, takes_other_cards=self._rules.other_card_type)
        if sent.get("SealColor", "BLACK") not in COLORS:
            raise Refusal("InvalidParameterValue", "参数SealColor取值错误")
        if not sent["SealName"].strip():
            raise Refusal("MissingParameter.SealName")
        if len(sent["SealName"]) > SEAL_NAME_LIMIT:
            raise Refusal("InvalidParameter.LimitSealName")
        if sent.get("SceneKey", "") not in ("", *SCENES):
            raise Refusal("InvalidParameterValue", "参数SceneKey取值错误")
        inline = self._get_inline(service)
        asks_for_auto_sign = inline != "ignored" and sent.get("EnableAutoSign", False)
        if asks_for_auto_sign or sent.get("Mobile"):
            check_mobile(sent.get("Mobile", ""))
        if inline != "ignored" and sent.get("LicenseType", 0) not in (0, 1):
            raise Refusal("InvalidParameterValue", "参数LicenseType取值错误")

    def _get_image(self, order: Order) -> tuple[str, str]:
        """Return the contract that brought the picture and its sha256; a FileId goes before a SealImage."""
        sent, inline = order.sent, self._get_inline(order.service)
        if sent.get("FileId"):
            upload = self.uploads.get(sent["FileId"])
            if upload is None or upload.app_id != order.tenant.app_id or order.now >= upload.deadline:
                raise Refusal("ResourceNotFound.File")
            return "file_id", upload.sha256
        if inline != "ignored" and sent.get("SealImage"):
            return "inline", self._store_image(decode_inline_image(sent["SealImage"]))
        if inline == "on":
            raise Refusal("MissingParameter.SealImage")
        raise Refusal("FailedOperation", "缺少印章图片，请使用FileId参数")

    def _get_inline(self, service: str) -> str:
        """Return the rule for SealImage and its companions; in ess they have no effect."""
        return self._rules.inline if service == ESSBASIC else "ignored"

    def _store_files(self, order: Order) -> Response:
        deadline = float(int(order.now + FILE_LIFE))
        ids = []
        for data in decode_uploads(order.sent, order.service):
            file_id = self._make_identifier(self.uploads)
            self.uploads[file_id] = Upload(order.tenant.app_id, self._store_image(data), deadline)
            ids.append(file_id)
        return {
            "TotalCount": len(ids),
            "FileIds": ids,
            "FileUrls": [f"https://file.ess.tencent.cn/sandbox/{file_id}?hkey=sandbox" for file_id in ids],
            "Deadline": int(deadline),
        }

    def _store_image(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.pictures[digest] = data
        return digest

    def _make_identifier(self, taken: Container[str]) -> str:
        while True:
            made = "yD" + "".join(self._random.choices(ALPHABET, k=30))
            if made not in taken:
                return made


def _list_no_seals(_: Order) -> Response:
    """Answer with the list of the organisation's own seals: imported ones are not shown."""
    return {"TotalCount": 0, "Seals": []}
