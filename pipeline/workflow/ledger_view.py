"""The ledger as a run is prepared from it: empty for a check without one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.domain.roster import FileStat
from pipeline.domain.run import Judgement
from pipeline.domain.seals import LedgerSnapshot
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence, EvidenceRecords
from pipeline.ledger.protocol import Ledger
from pipeline.ledger.tenant import KEY_BYTES, SiteKey
from pipeline.planning.guards import SealCounts

# of a check without a ledger: equal numbers are still one person
PLAIN_KEY = SiteKey(bytes(KEY_BYTES), "")


@dataclass(frozen=True)
class LedgerView:
    """What the preparation of a run reads from the ledger.

    Without a site key people are distinguished by PLAIN_KEY: the digests it makes must not leave this process.
    """

    ledger: Ledger | None
    site_key: SiteKey | None

    @cached_property
    def snapshot(self) -> LedgerSnapshot:
        """The people and seals, read once."""
        return self.ledger.snapshot() if self.ledger else LedgerSnapshot({}, {})

    @property
    def person_digests(self) -> SiteKey:
        """The key under which people are known."""
        return self.site_key or PLAIN_KEY

    @cached_property
    def known_keys(self) -> Collection[str]:
        """The keys of people who have a seal or an unresolved attempt."""
        return {
            person.key for person in self.snapshot.people.values() if person.seal or person.unresolved_attempt
        }

    @property
    def known_files(self) -> Mapping[str, FileStat]:
        """The fingerprints of files that need not be opened again."""
        return self.ledger.list_known_files() if self.ledger else {}

    @property
    def judgements(self) -> Mapping[str, Judgement]:
        """The judgements of earlier reviews."""
        return self.ledger.list_judgements() if self.ledger else {}

    def count_seals(self) -> SealCounts:
        """Count the seals of the ledger, and the creates that wait for a decision because the seal name exists."""
        people = self.snapshot.people.values()
        seals = [person.seal for person in people if person.seal is not None]
        attempts = (person.unresolved_attempt for person in people)
        return SealCounts(
            live=len(seals),
            own=sum(seal.trace_id is not None for seal in seals),
            existing_names=sum(attempt is not None and attempt.verdict == "exists" for attempt in attempts),
        )

    def count_absent_unresolved(self, keys: Collection[str | None]) -> int:
        """Return how many people with an unresolved attempt are not among these."""
        unresolved = {person.key for person in self.snapshot.people.values() if person.unresolved_attempt}
        return len(unresolved.difference(keys))

    def make_earlier_evidence(
        self, new_judgements: Mapping[str, Judgement], images: ImageExaminer
    ) -> EarlierEvidence:
        """Return what decides whose picture a file may be by earlier runs; ``new_judgements`` are not in the ledger yet."""
        if self.ledger is None or self.site_key is None:
            return EarlierEvidence()
        digest, judge = self.site_key.digest, self.site_key.judgement
        judgements = {**self.judgements, **new_judgements}

        def is_judged_right(key: str, name: str, sha256: str) -> bool:
            judgement = judgements.get(judge(key, name, "", sha256))
            return judgement is not None and judgement.judged == "right"

        records = EvidenceRecords(
            bearers=self.ledger.list_bearers(self.site_key.tenant),
            digest=digest,
            make_key=self.site_key.person,
            settled_keys=self.known_keys,
            same_persons=self.snapshot.same_persons,
            other_persons=self.snapshot.other_persons,
            is_judged_right=is_judged_right,
            images=images,
        )
        return EarlierEvidence(records)
