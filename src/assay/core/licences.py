"""Which licence a project is under, as an SPDX expression, from what it says in four places.

Metadata comes first because somebody chose it; the text of a licence file comes last and is recognised by the
sentences that only that licence has. What cannot be told is passed on in the project's own words, or is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.parser import HeaderParser

from assay.model.tree import Tree

MAX_TEXT_CHARS = 200
_CLASSIFIER = "License :: "
_BY_CLASSIFIER = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "Academic Free License (AFL)": "AFL-3.0",
    "Artistic License": "Artistic-2.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Public Domain": "LicenseRef-Public-Domain",
}
_IDENTIFIERS = {
    identifier.casefold(): identifier
    for identifier in (
        *_BY_CLASSIFIER.values(),
        *("BSD-2-Clause", "0BSD", "BSD-4-Clause", "WTFPL", "LGPL-2.1-only", "LGPL-2.1-or-later", "HPND", "Python-2.0"),
    )
}
_BY_NAME = {
    "mit license": "MIT",
    "the mit license": "MIT",
    "expat": "MIT",
    "mit/x11": "MIT",
    "apache 2.0": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "asl 2.0": "Apache-2.0",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "simplified bsd": "BSD-2-Clause",
    "2-clause bsd": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "isc license": "ISC",
    "iscl": "ISC",
    "mpl 2.0": "MPL-2.0",
    "mpl2": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "psf license": "PSF-2.0",
    "psfl": "PSF-2.0",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "gpl-3.0": "GPL-3.0-only",
    "gpl-2.0": "GPL-2.0-only",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "lgplv2+": "LGPL-2.0-or-later",
    "agplv3": "AGPL-3.0-only",
    "the unlicense": "Unlicense",
    "public domain": "LicenseRef-Public-Domain",
    "cc0": "CC0-1.0",
    "zpl 2.1": "ZPL-2.1",
}
_SENTENCES: Sequence[tuple[str, Sequence[str]]] = (
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("AGPL-3.0-only", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0-only", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1-only", ("gnu lesser general public license", "version 2.1")),
    ("GPL-3.0-only", ("gnu general public license", "version 3")),
    ("GPL-2.0-only", ("gnu general public license", "version 2")),
    ("MIT", ("permission is hereby granted, free of charge, to any person obtaining a copy", "shall be included")),
    ("MIT-0", ("permission is hereby granted, free of charge, to any person obtaining a copy",)),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software", "appear in all copies")),
    ("ISC", ("permission to use, copy, modify, and distribute this software", "appear in all copies")),
    ("0BSD", ("permission to use, copy, modify, and/or distribute this software",)),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote products")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("PSF-2.0", ("python software foundation license",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("BSL-1.0", ("boost software license - version 1.0",)),
    ("ZPL-2.1", ("zope public license", "2.1")),
    ("WTFPL", ("do what the fuck you want to public license",)),
)
_FILE = re.compile(r"(?i)^(?:licen[cs]es?|copying|unlicense|mit-licen[cs]e)(?:[-_.].*)?$")
_EXPRESSION = re.compile(r"(?i)^\(?[\w.+-]+\)?(?:\s+(?:and|or|with)\s+\(?[\w.+-]+\)?)*$")


def licence_of(
    tree: Tree, *, expression: str | None = None, text: str | None = None, classifiers: Sequence[str] = ()
) -> str | None:
    """The licence by order of trust: expression, recognised licence field, classifiers, licence file, any words.

    A file's text beats a classifier that names a family only ("BSD License").
    """
    if expression and expression.strip():
        return expression.strip()
    named = _named(text or "")
    if named:
        return named
    in_file = licence_of_files(tree)
    by_classifier = _classified(classifiers)
    if by_classifier and not (in_file and by_classifier == "BSD-3-Clause"):
        return by_classifier
    words = (text or "").strip().splitlines()
    return in_file or by_classifier or (words[0].strip()[:MAX_TEXT_CHARS] or None if words else None)


def licence_of_metadata(tree: Tree, fallback: Mapping[str, object] | None = None) -> str | None:
    """The licence that the core metadata of a source distribution (`PKG-INFO`) tells, else what an index told."""
    state = tree.get("PKG-INFO")
    if state is None:
        told = fallback or {}
        listed = told.get("classifiers")
        return licence_of(
            tree,
            expression=_str(told.get("license_expression")),
            text=_str(told.get("license")),
            classifiers=[str(item) for item in listed] if isinstance(listed, list) else [],
        )
    headers = HeaderParser().parsestr(state.data.decode("utf-8", "replace"))
    return licence_of(
        tree,
        expression=_str(headers.get("License-Expression")),
        text=_str(headers.get("License")),
        classifiers=[str(item) for item in headers.get_all("Classifier", [])],
    )


def licence_of_files(tree: Tree) -> str | None:
    """What the licence files at the top say, joined with AND when they differ; None if none is recognised."""
    found = []
    for path in sorted(tree):
        top = path.removeprefix("LICENSES/")
        if "/" in top or (not _FILE.match(top) and top == path):
            continue
        spdx = _recognised(tree[path].data[:20_000].decode("utf-8", "replace"))
        if spdx and spdx not in found:
            found.append(spdx)
    return " AND ".join(found) or None


def _str(value: object) -> str | None:
    text = str(value) if value is not None else ""
    return None if text in ("", "UNKNOWN", "None") else text


def _named(text: str) -> str | None:
    """An SPDX expression that people wrote into the free-form field, in its many spellings."""
    plain = " ".join(text.split())
    if len(plain) > MAX_TEXT_CHARS:
        return _recognised(text)
    name = plain.casefold().rstrip(".")
    if name in _IDENTIFIERS or name in _BY_NAME:
        return _IDENTIFIERS.get(name) or _BY_NAME[name]
    parts = re.split(r"(?i)\s+(and|or)\s+", plain)
    if len(parts) > 1 and _EXPRESSION.match(plain):
        known = [
            part.upper() if i % 2 else _IDENTIFIERS.get(part.strip("()").casefold()) for i, part in enumerate(parts)
        ]
        return " ".join(part for part in known if part) if all(known) else None
    return None


def _classified(classifiers: Sequence[str]) -> str | None:
    names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith(_CLASSIFIER)]
    found = [spdx for name in names if (spdx := _BY_CLASSIFIER.get(name))]
    return " OR ".join(dict.fromkeys(found)) or None


def _recognised(text: str) -> str | None:
    plain = " ".join(text.casefold().split())
    for spdx, sentences in _SENTENCES:
        if all(sentence in plain for sentence in sentences):
            return spdx
    return None
