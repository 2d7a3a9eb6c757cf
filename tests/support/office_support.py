"""LibreOffice as a clerk uses it: a workbook is opened, edited by a macro, and saved in another form."""

from __future__ import annotations

import subprocess
from pathlib import Path

import desktop

_MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">
Sub Edit
Dim a(0) As New com.sun.star.beans.PropertyValue
a(0).Name = "Hidden": a(0).Value = True
d = StarDesktop.loadComponentFromURL("{source}", "_blank", 0, a())
{statements}
Dim p({last}) As New com.sun.star.beans.PropertyValue
p(0).Name = "FilterName"{encryption}
{saves}
d.close(True)
End Sub
</script:module>"""
_LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false"
 library:passwordprotected="false">{element}</library:library>"""
_LIBRARIES = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:libraries PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "libraries.dtd">
<library:libraries xmlns:library="http://openoffice.org/2000/library" xmlns:xlink="http://www.w3.org/1999/xlink">
<library:library library:name="Standard" xlink:href="$(USER)/basic/Standard/script.xlb/" xlink:type="simple"
 library:link="false"/></library:libraries>"""
FILTERS = {"xlsx": "Calc MS Excel 2007 XML", "xls": "MS Excel 97"}


def edit(source: Path, statements: str, targets: list[Path], *, password: str = "") -> None:
    """Run Basic statements on a document ``d`` and save it once for each target, in the form of its suffix.

    With a ``password`` the copies are encrypted.
    """
    command = desktop.office()
    basic = desktop.office_profile / "user" / "basic"
    if not basic.exists():
        subprocess.run([*command, "--terminate_after_init"], check=True, capture_output=True, timeout=120)
    saves = "\n".join(
        f'p(0).Value = "{FILTERS[target.suffix[1:]]}": d.storeToURL("{target.as_uri()}", p())'
        for target in targets
    )
    encryption = f': p(1).Name = "Password": p(1).Value = "{password}"' if password else ""
    (basic / "Standard").mkdir(parents=True, exist_ok=True)
    (basic / "script.xlc").write_text(_LIBRARIES)
    (basic / "Standard" / "Module1.xba").write_text(
        _MODULE.format(
            source=source.as_uri(),
            statements=statements,
            saves=saves,
            last=1 if password else 0,
            encryption=encryption,
        ),
        "utf-8",
    )
    (basic / "Standard" / "script.xlb").write_text(
        _LIBRARY.format(element='<library:element library:name="Module1"/>')
    )
    (basic / "Standard" / "dialog.xlb").write_text(_LIBRARY.format(element=""))
    subprocess.run([*command, "macro:///Standard.Module1.Edit"], check=True, capture_output=True, timeout=120)
