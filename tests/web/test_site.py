"""What the page keeps for its hospital: the log of who changed what."""

import json
import stat

from page_support import make_site

from pipeline.web.site import PAGE_LOG


def test_a_change_is_one_line_with_its_user_and_numbers_are_masked(hospital):
    site = make_site(hospital.folder / "config.yaml")
    site.record_change("王芳", "cell", file="名单 11010519491231002X.xlsx", row=3)
    site.record_change("王芳", "leave", text="a\u2028b")
    lines = (site.state / PAGE_LOG).read_text("utf-8").split("\n")
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert lines[2:] == [""]
    assert (first["user"], first["action"], first["row"]) == ("王芳", "cell", 3)
    assert "002X" in first["file"]
    assert "110105" not in lines[0]
    assert second["text"] == "a\u2028b"
    assert stat.S_IMODE((site.state / PAGE_LOG).stat().st_mode) == 0o600
