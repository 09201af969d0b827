"""How git is called on things that strangers made: it reads no configuration but ours and starts nothing.

Git runs programs that configuration and attributes name (hooks, fsmonitor, external diffs, text conversions,
signature checks, lazy fetches). These settings close each of those doors; they are data, so that every caller
closes the same ones.
"""

from __future__ import annotations

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENVIRONMENT = {
    "PATH": SEARCH_PATH,
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "TZ": "UTC",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
}
"""The whole environment of a git process: nothing of the user's, no variable that redirects a repository."""

_SETTINGS = (
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.quotePath=true",
    "core.pager=cat",
    "core.sshCommand=ssh",
    "core.gitProxy=",
    "credential.helper=",
    "diff.external=",
    "log.showSignature=false",
    "log.mailmap=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "transfer.fsckObjects=true",
    "submodule.recurse=false",
    # Old, honest repositories carry these; they mislead nobody who reads blobs.
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
)


def options(*protocols: str) -> list[str]:
    """Arguments to put before git's command. Only the named transports work; none at all, not even lazily, by default.

    They override what a repository's own configuration says; `safe.directory` is open because with them nothing
    that the owner of a repository wrote is obeyed.
    """
    settings = [*_SETTINGS, "protocol.allow=never", *(f"protocol.{name}.allow=always" for name in protocols)]
    return ["--no-pager", *(part for setting in settings for part in ("-c", setting))]
