import pytest

from assay.core.licences import licence_of, licence_of_files, licence_of_metadata
from assay.model.tree import FileState

MIT = FileState(
    b"Permission is hereby granted, free of charge, to any person obtaining a copy\n... shall be included in all\n"
)
BSD2 = FileState(b"Redistribution and use in source and binary forms, with or without\nmodification")


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("MIT", "MIT"),
        ("mit license", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("BSD 3-Clause", "BSD-3-Clause"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("Our very own licence\nline two", "Our very own licence"),
        ("", None),
    ],
)
def test_the_field(text: str, spdx: str | None) -> None:
    assert licence_of({}, text=text) == spdx


def test_order_of_trust() -> None:
    bsd = ["License :: OSI Approved :: BSD License"]
    assert licence_of({}, expression="MIT AND ISC", text="BSD", classifiers=bsd) == "MIT AND ISC"
    assert licence_of({}, text="see LICENSE", classifiers=["License :: OSI Approved :: MIT License"]) == "MIT"
    assert licence_of({"LICENSE": BSD2}, text="BSD", classifiers=bsd) == "BSD-2-Clause"
    assert licence_of({}, classifiers=bsd) == "BSD-3-Clause"


def test_files() -> None:
    assert (
        licence_of_files({"LICENSE.txt": MIT, "LICENSES/BSD.txt": BSD2, "pkg/LICENSE": BSD2}) == "MIT AND BSD-2-Clause"
    )
    assert licence_of_files({"LICENSE": FileState(b"\xff\xfe")}) is None


def test_metadata_of_an_archive_and_of_an_index() -> None:
    info = FileState(b"Metadata-Version: 2.4\nName: a\nLicense-Expression: ISC\n\nLong text\n")
    assert licence_of_metadata({"PKG-INFO": info}) == "ISC"
    assert licence_of_metadata({}, {"license": None, "license_expression": "MIT", "classifiers": []}) == "MIT"
    assert licence_of_metadata({"LICENSE": MIT}, {"license": "UNKNOWN"}) == "MIT"
    assert licence_of_metadata({}) is None
