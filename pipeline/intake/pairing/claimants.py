"""Finds who claims each file by its name or by the picture column, and decides between them.

The name of a file must be a value of the row (the identity number, the staff number, the name), or be made of several of
its values (``row_values.cut_stem``). Digits alone (3-12) and a last digit (张伟-2) may count pictures and are no evidence,
except an identity number.

A serial number may come from an older list. So a further value distinguishes no two people of one name, unless it is a
department. A part that is another row's staff number or name makes that row a claimant, one that is another row's identity
number takes the file from every row.

Whose a file is does not depend on the order of rows or files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pipeline.domain.roster import Doctor
from pipeline.intake.layout.skipped_parts import names_former_staff
from pipeline.intake.pairing.claims import COLUMN, KINDS, MAX_VARIANTS, NAME, NUMBER, STAFF_NO, Claim
from pipeline.intake.pairing.departments import Departments, FolderMatch
from pipeline.intake.pairing.file_names import (
    comparison_key,
    ends_before_seal,
    is_count,
    seal_may_end_name,
)
from pipeline.intake.pairing.image_index import Candidate, FileNameVariant, ImageIndex
from pipeline.intake.pairing.mentions import Mentions
from pipeline.intake.pairing.picture_column import PictureEntry
from pipeline.intake.pairing.row_values import Cut, RowValues, bears_name
from pipeline.intake.person_ids import compute_person_ids

_FileClaims = dict[
    int, tuple[Claim, list[Claim]]
]  # by row: its claim on a file, and those that stand against it
_PATH_SIGNS = re.compile(r"[/\\]")


class Claimants:
    """The claims of all rows on all files, and which of them stand against each other."""

    def __init__(self, doctors: Sequence[Doctor], entries: Sequence[PictureEntry], index: ImageIndex) -> None:
        """List the claims; ``entries`` are those of the picture column, in the order of the rows."""
        self.doctors = doctors
        self.person_ids: Sequence[Hashable] = compute_person_ids(doctors)
        self._departments = Departments(doctors, self.person_ids)
        self._values = RowValues(doctors, self.person_ids, self._departments)
        # all that fit a row by name, also those whose file belongs to a better claim
        self.fitting: list[list[Claim]] = [[] for _ in doctors]
        self.by_name: list[list[Claim]] = [[] for _ in doctors]  # without these
        # the rows that may mean a file, where no one gets it by name
        self.shared: dict[Candidate, set[int]] = {}
        for claims in self._collect_claims(index):
            self._enter_file(claims)
        self.of_entries = [self._list_entry_claims(row, entry) for row, entry in enumerate(entries)]
        self.mentions = Mentions(doctors, self.of_entries, self.person_ids)
        self._users: defaultdict[Candidate, set[int]] = defaultdict(set)  # the rows whose entries name a file
        for claim in chain.from_iterable(self.of_entries):
            self._users[claim.candidate].add(claim.row)
        self.mentioned: dict[tuple[Candidate, int], list[int]] = {}  # by file and row of an entry
        self.contested: dict[Candidate, set[int]] = {}  # by an entry: no one gets them
        self._enter_contested_files()

    def list_valid(self, claims: Sequence[Claim]) -> list[Claim]:
        """Return a row's claims on which it can get a picture.

        A file in the folder of another department is no evidence; next to it a name alone is none either (a namesake).
        """
        valid = [
            claim
            for claim in claims
            if claim.is_certain
            and claim.folder != "other"
            and (claim.kind == COLUMN or claim.candidate not in self.shared)
        ]
        has_foreign = any(claim.folder == "other" for claim in claims)
        return [] if has_foreign and all(claim.is_name_alone for claim in valid) else valid

    # -- claims by the names of files

    def _collect_claims(self, index: ImageIndex) -> Iterable[_FileClaims]:
        """Return, for each file that any row may mean by its name, the best claim of each row with its rivals."""
        by_file: defaultdict[Candidate, _FileClaims] = defaultdict(dict)
        for variant in chain.from_iterable(index.variants.values()):
            rows = self._values.list_rows(variant.comparison_key)
            for row in rows if len(rows) <= MAX_VARIANTS else ():
                if (made := self._make_claim_of_row(variant, row)) is not None:
                    claims = by_file[variant.candidate]
                    if row not in claims or _order(made[0]) < _order(claims[row][0]):
                        claims[row] = made
        return by_file.values()

    def _make_claim_of_row(self, variant: FileNameVariant, row: int) -> tuple[Claim, list[Claim]] | None:
        """Return the claim of a row, and those of other rows for the values that are theirs as well."""
        cuts = self._values.list_cuts(row, variant.comparison_key)
        cuts = [cut for cut in cuts if self._is_evidence(cut, variant)]
        if not cuts:
            return None
        best = min(cuts, key=lambda cut: KINDS[cut.kind].strength)
        claim = self._make_claim(variant, row, best)
        rivals = []
        for other, kind in self._list_rivals(claim, best):
            folder = self._departments.match_folder(other, variant.candidate.folder)
            rivals.append(replace(claim, row=other, kind=kind, folder=folder, is_certain=False))
        return claim, rivals

    def _is_evidence(self, cut: Cut, variant: FileNameVariant) -> bool:
        """Return whether a cut shows that a file is the row's."""
        parts = cut.parts
        is_name_last = len(parts) > 1 and cut.ends_with_name and (cut.kind == NAME or not cut.is_plain)
        if is_name_last and seal_may_end_name(parts[-1]) and ends_before_seal(variant.stem, variant.base):
            return False  # 内科李文章 is not 李文 of 内科
        if cut.is_plain:
            return True
        if cut.ends_with_digit or (cut.kind != NUMBER and all(map(str.isdecimal, parts))):
            return False
        kinds = {kind for part in cut.others for _, kind in self._values.list_rows_with(part)}
        return NUMBER not in kinds and not names_former_staff(variant.stem)

    def _make_claim(self, variant: FileNameVariant, row: int, cut: Cut) -> Claim:
        expected, is_spelled = variant.comparison_key, True
        for part in cut.parts:
            if spellings := self._values.list_spellings(row, part):
                expected = expected.replace(part, spellings[0])
                is_spelled = is_spelled and any(text in variant.stem for text in spellings)
        folder: FolderMatch = "own" if cut.names_department else ""
        if cut.kind == NAME and not folder:
            folder = self._departments.match_folder(row, variant.candidate.folder)
        return Claim(
            variant.candidate,
            row,
            cut.kind,
            expected=expected,
            is_exact=is_spelled and variant.stem == variant.base and not variant.is_recoded,
            folder=folder,
            is_joined=len(cut.parts) > 1,
        )

    def _list_rivals(self, claim: Claim, cut: Cut) -> Iterator[tuple[int, str]]:
        """Yield the rows of other people who may be meant as well, each with the kind of its claim."""
        row = claim.row
        if not KINDS[claim.kind].is_shareable:
            return
        of_others = {
            (other, kind)
            for part in cut.others
            for other, kind in self._values.list_rows_with(part)
            if self.person_ids[other] != self.person_ids[row]
        }
        yield from ((other, STAFF_NO) for other, kind in of_others if kind == STAFF_NO)
        if claim.kind == NAME:
            named = [other for other, kind in of_others if kind == NAME]
            for other in (*named, *self._values.list_namesakes(row)):
                if claim.folder != "own" or self._departments.may_be_near(row, other):
                    yield other, NAME
        elif claim.kind == STAFF_NO:
            is_own = cut.is_plain and bears_name(claim, self.doctors[row])
            for other in self._values.list_rows_of_staff_no(row):
                if not is_own or bears_name(claim, self.doctors[other]):
                    yield other, STAFF_NO

    def _enter_file(self, by_row: _FileClaims) -> None:
        """Enter the claims on one file, and between whom it is shared."""
        claims = [claim for claim, _ in by_row.values()]
        people = {self.person_ids[claim.row] for claim in claims}
        owners = self._choose_owners(claims) if len(people) > 1 else people
        rows: set[int] = set()
        uncertain: dict[int, Claim] = {}
        for claim, rivals in by_row.values():
            self.fitting[claim.row].append(claim)
            if self.person_ids[claim.row] in owners:
                self.by_name[claim.row].append(claim)
                rows.update((claim.row, *(rival.row for rival in rivals)))
                uncertain.update({rival.row: rival for rival in rivals if rival.row not in by_row})
        for row, rival in uncertain.items():
            self.by_name[row].append(rival)
        if len({self.person_ids[row] for row in rows}) > 1:
            self.shared[claims[0].candidate] = rows

    def _choose_owners(self, claims: Sequence[Claim]) -> set[Hashable]:
        """Return the people whose file it can be, of several who claim it.

        A file that is found by names alone belongs to the person whose department shows it; else to whose whole name it is
        rather than to whose department and name are that together (南宫明: not 宫明 of 南).
        """
        best = [claim for claim in claims if not KINDS[claim.kind].is_shareable]
        if not best and all(claim.kind == NAME for claim in claims):
            whole = [claim for claim in claims if not claim.is_joined]
            best = [claim for claim in whole or claims if claim.folder == "own"]
            if not best and 0 < len(whole) < len(claims):
                best = [claim for claim in whole if claim.folder != "other"]
        return {self.person_ids[claim.row] for claim in best or claims}

    # -- claims of the picture column

    def _list_entry_claims(self, row: int, entry: PictureEntry) -> list[Claim]:
        text = entry.text or ""
        return [
            Claim(file, row, COLUMN, text, is_exact, self._match_entry_folder(file, row, text))
            for file, is_exact in entry.files
        ]

    def _match_entry_folder(self, file: Candidate, row: int, text: str) -> FolderMatch:
        """Return whose folder decides where an entry's file lies; "" where its name shows which file is meant.

        Where that shows only which of a folder's pictures it is (1.png, 签名.png), the folder decides as it does for a name.
        """
        if not _depends_on_folder(file, text):
            return ""
        if _names_folder(text):
            return "other"
        return self._departments.match_folder(row, file.folder, is_entry=True)

    def _enter_contested_files(self) -> None:
        """Enter the files that entries name and that are another doctor's by name: no one gets them.

        If the name of a file or its folder only holds another doctor's name or number (``mentions``), the file is contested
        where that doctor's entry names it as well; otherwise a person decides. A file that fits the row of the entry by its
        name as well (namesakes) belongs to the entry.
        """
        naming: defaultdict[Candidate, list[Claim]] = defaultdict(list)  # not by their name as well
        bearing: defaultdict[Candidate, list[int]] = defaultdict(list)
        for claim in chain.from_iterable(self.fitting):
            bearing[claim.candidate].append(claim.row)
        for row, claims in enumerate(self.of_entries):
            own = {claim.candidate for claim in self.by_name[row] if claim.is_certain}
            for claim in claims:
                if claim.candidate not in own:
                    naming[claim.candidate].append(claim)
        for candidate, claims in naming.items():
            if involved := self._list_contesting_rows(candidate, claims, bearing[candidate]):
                self.contested[candidate] = involved

    def _list_contesting_rows(
        self, candidate: Candidate, claims: Sequence[Claim], bearing: Sequence[int]
    ) -> set[int]:
        """Return the rows that get nothing from a file: those of the entries that name it, and those whose it is by name."""
        people = {self.person_ids[claim.row] for claim in claims}
        involved = {row for row in bearing if {self.person_ids[row]} != people}
        if involved:
            involved.update(claim.row for claim in claims)
        for claim in claims:
            if mentioned := self._list_mentioned_rows(claim):
                self.mentioned[candidate, claim.row] = mentioned
                if users := self._users[candidate].intersection(mentioned):
                    involved.update({claim.row, *users})
        return involved

    def _list_mentioned_rows(self, claim: Claim) -> list[int]:
        """Return the rows of other people whose name or number the file of an entry, or its folder, holds."""
        doctor = self.doctors[claim.row]
        rows = {
            row
            for name in self.mentions.list_other_names(claim, doctor)
            for row in self._values.list_rows_of_name(name)
        }
        for number in self.mentions.list_other_numbers(claim, doctor):
            rows.update(self._values.list_rows_of_number(number))
        return sorted(row for row in rows if self.person_ids[row] != self.person_ids[claim.row])


def may_be_of_other_sheet(claims: Sequence[Claim]) -> bool:
    """Return whether a file lies in another sheet's folder and no better evidence than a name supports the row's claims."""
    return any(claim.folder == "other_sheet" for claim in claims) and all(
        claim.kind in (NAME, COLUMN) and claim.folder != "own_sheet" for claim in claims
    )


def _depends_on_folder(file: Candidate, text: str) -> bool:
    """Return whether the file that an entry names shows in its folder alone whose it is, and the entry does not name that folder."""
    folders = file.relative_path.split("/")[:-1]
    parts = [comparison_key(part) for part in _PATH_SIGNS.split(text)[:-1]]
    is_named = bool(folders) and comparison_key(folders[-1]) in parts
    return bool(folders) and not is_named and is_count(file.stem)


def _names_folder(text: str) -> bool:
    """Return whether an entry names a folder; a drive (D:) and a folder of all pictures (印章图片) are none."""
    folder = "".join(_PATH_SIGNS.split(text)[-2:-1])
    return not folder.endswith(":") and not is_count(folder)


def _order(claim: Claim) -> tuple[int, bool]:
    return KINDS[claim.kind].strength, not claim.is_exact
