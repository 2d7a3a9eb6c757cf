"""What hospitals also call a doctor's mobile, which counts only where no plainer title does."""

import pytest

from pipeline.domain.roster import Field
from pipeline.intake.layout.column_titles import find_meaning, keep_best_tiers


@pytest.mark.parametrize("title", ["常用手机号", "预留手机号", "*实名手机号码（必填）"])
def test_a_mobile_by_another_title_is_read_but_yields_to_a_plainer_one(title):
    found = find_meaning(title)
    assert found is not None
    assert found.field is Field.MOBILE
    plainer = find_meaning("联系电话")
    assert plainer is not None
    assert keep_best_tiers([(1, found), (2, plainer)]) == {Field.MOBILE: [2]}
