# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples that the manuals and the READMEs show: what stands there as a display, or indented as code."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def _plain(text):
    return text.replace("\\*q", '"').replace("\\e", "\\").replace("\\&", "")


def of_manual(page, section=None):
    """The displays of a page of docs/, of several lines and of one."""
    source = (TOP / "docs" / page).read_text(encoding="utf-8")
    if section:
        source = source.split(f".Sh {section}\n")[1].split("\n.Sh ")[0]
    found = re.findall(r"^\.Bd .*?\n(.*?)^\.Ed$|^\.Dl ([^\n]*)$", source, re.M | re.S)
    texts = [_plain(display or line) for display, line in found]
    assert texts, f"no example in {page}"
    return texts


def of_markdown(path, section=None):
    """The blocks of code of a text, or of a section of it, without their indentation."""
    blocks, title, wanted = [[]], None, section is None
    for line in (TOP / path).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
            wanted = section in (None, title)
        if wanted and line.startswith("    "):
            blocks[-1].append(line[4:])
        elif line == "" and blocks[-1]:
            blocks[-1].append("")
        elif blocks[-1]:
            blocks.append([])
    texts = ["\n".join(block).strip() + "\n" for block in blocks if block]
    assert texts, f"no example in {path}"
    return texts


def commands(program, text):
    """The command lines of a program in a text: in its code, and in one line of its prose between backticks."""
    text = re.sub(r"  +#.*", "", text.replace("\\\n", " "), flags=re.M)
    return [match.strip() for match in re.findall(rf"(?:^ *|[;&|`] ?){program} ([^;&|<>`\n]*)", text, re.M)]
