# ruff: noqa: D103 - the name of a check says what it demands
"""The contract's checks about files: what is seen, what stays, what is read out."""

from __future__ import annotations

import os
from pathlib import Path

from assay.errors import SandboxError
from assay.model.sandbox import Mount
from assay.model.tree import FileChange, FileState
from assay.testing.sandbox_kit import FILES, REPO, SMALL, Kit, check, expect

ODD = os.fsdecode(b"caf\xe9 \xff\nname")


@check
async def layers_are_seen_merged_topmost_first(kit: Kit) -> None:
    top = kit.layer({"a.txt": b"top\n", "dir/new.txt": b"new\n"}, "top")
    async with kit.session(Mount(REPO, (top, kit.layer()), writable=True)) as probe:
        done = await probe.steps(["read", "a.txt"], ["list", "dir"], ["read", "dir/one.txt"])
        expect(done.value(0) == "top\n", "the topmost layer does not win")
        expect(done.value(1) == ["new.txt", "one.txt", "sub"], f"folders are not merged: {done.value(1)}")
        expect(not await probe.changes(), "opening a session is a change")


@check
async def a_new_file_is_read_out(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["mkdir", "deep"], ["mkdir", "deep/er"], ["write", "deep/er/new.txt", "new\n"])
        changes = await probe.session.changes(REPO)
        expect(changes == (FileChange("deep/er/new.txt", None, FileState(b"new\n")),), f"got {changes}")


@check
async def a_changed_file_is_read_out_with_its_old_state(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["append", "dir/one.txt", "more\n"])
        changes = await probe.session.changes(REPO)
        wanted = FileChange("dir/one.txt", FileState(b"one\n"), FileState(b"one\nmore\n"))
        expect(changes == (wanted,), f"got {changes}")


@check
async def a_deleted_file_is_read_out(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["delete", "a.txt"])
        changes = await probe.session.changes(REPO)
        expect(changes == (FileChange("a.txt", FileState(b"alpha\n"), None),), f"got {changes}")
        done = await probe.steps(["exists", "a.txt"])
        expect(done.value() is False, "the next command still sees the deleted file")


@check
async def a_deleted_folder_is_read_out_file_by_file(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(
            ["delete", "dir/sub/two.txt"], ["rmdir", "dir/sub"], ["delete", "dir/one.txt"], ["rmdir", "dir"]
        )
        expect(done.error() is None, f"cannot remove a folder: {done.error()}")
        changes = await probe.changes()
        expect(set(changes) == {"dir/one.txt", "dir/sub/two.txt"}, f"got {sorted(changes)}")
        expect(all(change.new is None for change in changes.values()), "a deleted file has a new state")


@check
async def a_folder_made_anew_hides_what_was_in_it(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["delete", "dir/sub/two.txt"], ["rmdir", "dir/sub"], ["mkdir", "dir/sub"])
        await probe.steps(["write", "dir/sub/three.txt", "3"])
        changes = await probe.changes()
        expect(set(changes) == {"dir/sub/two.txt", "dir/sub/three.txt"}, f"got {sorted(changes)}")


@check
async def a_renamed_file_is_a_deletion_and_an_addition(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["rename", "a.txt", "z.txt"])
        changes = await probe.session.changes(REPO)
        alpha = FileState(b"alpha\n")
        expect(changes == (FileChange("a.txt", alpha, None), FileChange("z.txt", None, alpha)), f"got {changes}")


@check
async def the_executable_bit_is_read_out(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["chmod", "a.txt", 0o755], ["chmod", "run.sh", 0o644])
        changes = await probe.changes()
        modes = {path: (c.old and c.old.mode, c.new and c.new.mode) for path, c in changes.items()}
        wanted = {"a.txt": ("100644", "100755"), "run.sh": ("100755", "100644")}
        expect(modes == wanted, f"got {modes}")


@check
async def a_symbolic_link_is_read_out_as_a_link(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["symlink", "/etc/passwd", "link"], ["symlink", "../..", "up"])
        changes = await probe.session.changes(REPO)
        links = [FileState(b"/etc/passwd", "120000"), FileState(b"../..", "120000")]
        expect([change.new for change in changes] == links, f"got {changes}")


@check
async def binary_content_survives(kit: Kit) -> None:
    data = bytes(range(256)) * 3
    async with kit.session() as probe:
        await probe.steps(["write", "b.bin", data.decode("latin-1")])
        change = (await probe.changes()).get("b.bin")
        expect(change and change.new == FileState(data), "bytes were changed on the way out")


@check
async def names_that_are_not_utf8_survive(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(["write", ODD, "odd"], ["list", "."])
        expect(ODD in done.value(), "the name is another one inside")
        expect(set(await probe.changes()) == {ODD}, "the name is another one outside")
        expect(await probe.session.read(REPO, ODD, 10) == b"odd", "the file cannot be read by its name")


@check
async def equal_content_is_no_change(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["delete", "a.txt"], ["write", "a.txt", "alpha\n"], ["mkdir", "empty"])
        expect(not await probe.changes(), "a rewritten file or an empty folder counts as a change")


@check
async def pipes_and_sockets_are_left_out(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(["fifo", "pipe"], ["socket", "sock"], ["delete", "a.txt"], ["fifo", "a.txt"])
        expect(done.error(0) is None, "a fifo cannot be made")
        changes = await probe.changes()
        expect(set(changes) == {"a.txt"} and changes["a.txt"].new is None, f"got {changes}")
        expect(await probe.session.read(REPO, "pipe", 10) is None, "a fifo can be read")


@check
async def a_file_in_place_of_a_folder_and_back(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(
            *(["delete", "dir/sub/two.txt"], ["rmdir", "dir/sub"], ["write", "dir/sub", "file"]),
            *(["delete", "a.txt"], ["mkdir", "a.txt"], ["write", "a.txt/in", "in"]),
        )
        changes = await probe.changes()
        got = {path: (change.old is not None, change.new is not None) for path, change in changes.items()}
        old, new = (True, False), (False, True)
        wanted = {"dir/sub": new, "dir/sub/two.txt": old, "a.txt": old, "a.txt/in": new}
        expect(got == wanted, f"got {got}")


@check
async def a_hard_link_is_read_out_as_a_file(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["write", "first", "same"], ["link", "first", "second"])
        changes = await probe.changes()
        expect({p: c.new and c.new.data for p, c in changes.items()} == {"first": b"same", "second": b"same"}, "lost")


@check
async def unreadable_files_and_folders_are_read_out(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["mkdir", "closed"], ["write", "closed/in", "in"], ["chmod", "closed/in", 0])
        await probe.steps(["chmod", "closed", 0])
        changes = await probe.changes()
        expect(set(changes) == {"closed/in"}, f"got {sorted(changes)}")


@check
async def deep_nesting_breaks_nothing(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["deep", "d", 300], ["write", "/repo/plain", "x"])
        changes = await probe.changes()
        expect("plain" in changes, f"a deep tree hides the rest: {list(changes)[:3]}")
    expect(not _left(kit.state), "a deep tree is left behind")


@check
async def reading_never_follows_a_link(kit: Kit) -> None:
    secret = kit.root / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"secret")
    async with kit.session() as probe:
        await probe.steps(["symlink", str(secret / "key"), "file"], ["symlink", str(secret), "folder"])
        for path in ("file", "folder/key", "../../secret/key", "/etc/passwd", "dir/../a.txt"):
            expect(await probe.session.read(REPO, path, 100) is None, f"{path} leads out of the sandbox")
        found = [change.new.data for change in (await probe.changes()).values() if change.new]
        expect(b"secret" not in found, "a link's target was read")


@check
async def reading_is_bounded(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["write", "ten", "0123456789"])
        expect(await probe.session.read(REPO, "ten", 10) == b"0123456789", "a file as large as allowed is not read")
        expect(await probe.session.read(REPO, "ten", 9) is None, "a file larger than allowed is read")
        expect(await probe.session.read(REPO, "absent", 9) is None, "an absent file is read")
        expect(await probe.session.read(REPO, "dir", 9) is None, "a folder is read")


@check
async def changes_over_the_disk_limit_are_an_error(kit: Kit) -> None:
    limits = replace_limits(file_size_mib=64, disk_mib=2)
    async with kit.session(limits=limits) as probe:
        await probe.steps(["truncate", "sparse", 60 * 1024 * 1024])
        try:
            await probe.session.changes(REPO)
        except SandboxError:
            return
        expect(False, "more than the disk limit was read")


@check
async def a_mount_that_cannot_be_changed_has_no_changes(kit: Kit) -> None:
    async with kit.session(Mount(REPO, (kit.layer(),))) as probe:
        for target in (REPO, "/nowhere"):
            try:
                await probe.session.changes(target)
            except SandboxError:
                continue
            expect(False, f"{target} has changes")


@check
async def read_only_layers_cannot_be_changed(kit: Kit) -> None:
    layer = kit.layer()
    async with kit.session(Mount(REPO, (layer,))) as probe:
        done = await probe.steps(
            ["write", "a.txt", "x"], ["delete", "b.bin"], ["chmod", "a.txt", 0o777], ["mkdir", "n"]
        )
        errors = [done.error(index) for index in range(4)]
        expect(all(errors), f"a read-only mount was changed: {errors}")
    expect((layer / "a.txt").read_bytes() == FILES["a.txt"], "the layer's bytes changed")


@check
async def layers_stay_as_they_are_under_writes(kit: Kit) -> None:
    layer = kit.layer()
    before = _snapshot(layer)
    async with kit.session() as probe:
        await probe.steps(
            ["write", "a.txt", "x"], ["delete", "b.bin"], ["chmod", "run.sh", 0o600], ["write", "new", "n"]
        )
        await probe.steps(["rename", "dir/one.txt", "dir/1.txt"])
    expect(_snapshot(layer) == before, "a layer changed under a session")


@check
async def several_read_only_layers_are_merged(kit: Kit) -> None:
    top = kit.layer({"over": b"over"}, "top")
    async with kit.session(Mount(REPO, (top, kit.layer()))) as probe:
        done = await probe.steps(["list", "."], ["write", "x", "x"])
        expect("over" in done.value(0) and "a.txt" in done.value(0), "layers are not merged")
        expect(done.error(1) is not None, "a read-only mount was changed")


@check
async def a_mount_without_layers_starts_empty(kit: Kit) -> None:
    mounts = (Mount(REPO, (kit.layer(),), writable=True), Mount("/scratch", (), writable=True))
    async with kit.session(*mounts) as probe:
        done = await probe.steps(["list", "/scratch"], ["write", "/scratch/f", "f"])
        expect(done.value(0) == [], "it is not empty")
        changes = await probe.session.changes("/scratch")
        expect(changes == (FileChange("f", None, FileState(b"f")),), f"got {changes}")
        expect(not await probe.changes(), "writes of one mount show up in another")


@check
async def a_mount_that_makes_no_sense_is_an_error(kit: Kit) -> None:
    for mount in (Mount("/x", ()), Mount("/x", (kit.root / "absent",), writable=True)):
        try:
            async with kit.session(mount, workdir="/") as probe:
                await probe.steps(["note", 1])
        except SandboxError:
            continue
        expect(False, f"{mount} was accepted")


@check
async def odd_layer_paths_work(kit: Kit) -> None:
    odd = kit.layer({"a.txt": b"odd\n"}, "o,d:d \\ näme")
    async with kit.session(Mount(REPO, (odd,), writable=True)) as probe:
        done = await probe.steps(["read", "a.txt"], ["write", "new", "n"])
        expect(done.value(0) == "odd\n", "the layer is not seen")
        expect(set(await probe.changes()) == {"new"}, "the change is not seen")


@check
async def many_layers_work(kit: Kit) -> None:
    layers = tuple(kit.layer({f"f{n}": b"x", "same": str(n).encode()}, f"layer{n}") for n in range(40))
    async with kit.session(Mount(REPO, layers, writable=True)) as probe:
        done = await probe.steps(["list", "."], ["read", "same"])
        expect(len(done.value(0)) == 41, f"{len(done.value(0))} files")
        expect(done.value(1) == "0", "the topmost layer does not win")


@check
async def hidden_places_look_empty(kit: Kit) -> None:
    async with kit.session(Mount(REPO, (kit.layer(),)), hidden=(f"{REPO}/dir", f"{REPO}/absent")) as probe:
        done = await probe.steps(["list", "dir"], ["read", "a.txt"], ["write", "dir/x", "x"])
        expect(done.value(0) == [], "what should be hidden is seen")
        expect(done.value(1) == "alpha\n", "too much is hidden")


@check
async def files_stay_from_one_command_to_the_next(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["write", "kept", "k"])
        done = await probe.steps(["read", "kept"])
        expect(done.value() == "k", "the second command does not see the first one's file")


@check
async def frozen_bytes_are_a_layer(kit: Kit) -> None:
    target = kit.root / "frozen" / "one"
    async with kit.session() as probe:
        await probe.steps(["write", "new", "n"], ["delete", "a.txt"], ["append", "dir/one.txt", "more"])
        await probe.session.freeze(REPO, target)
        expect(not await probe.changes(), "the mount is not at its layers' state after the freeze")
        done = await probe.steps(["exists", "new"], ["exists", "a.txt"])
        expect(done.value(0) is False and done.value(1) is True, "the next command sees frozen bytes")
    async with kit.session(Mount(REPO, (target, kit.layer()), writable=True)) as probe:
        done = await probe.steps(["list", "."], ["read", "dir/one.txt"], ["append", "new", "er"])
        expect(done.value(0) == ["b.bin", "dir", "new", "run.sh"], f"got {done.value(0)}")
        expect(done.value(1) == "one\nmore" and done.error(2) is None, "frozen files cannot be used")
        changes = await probe.session.changes(REPO)
        expect(changes == (FileChange("new", FileState(b"n"), FileState(b"ner")),), f"got {changes}")


@check
async def freezing_never_replaces(kit: Kit) -> None:
    target = kit.layer({"first": b"1"}, "taken")
    async with kit.session() as probe:
        await probe.steps(["write", "new", "n"])
        await probe.session.freeze(REPO, target)
        expect(os.listdir(target) == ["first"], "an existing layer was changed")  # noqa: PTH208 - only names matter
        expect(not await probe.changes(), "the mount is not at its layers' state after the freeze")


@check
async def nothing_is_left_behind(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["write", "x", "x"], ["mkdir", "closed"], ["write", "closed/y", "y"], ["chmod", "closed", 0])
        await probe.steps(["write", "/tmp/t", "t"])
    expect(not _left(kit.state), f"left: {_left(kit.state)}")


@check
async def nothing_is_left_behind_by_an_exception(kit: Kit) -> None:
    try:
        async with kit.session() as probe:
            await probe.steps(["write", "x", "x"])
            raise KeyError("on purpose")
    except KeyError:
        pass
    expect(not _left(kit.state), f"left: {_left(kit.state)}")


def replace_limits(**values: float) -> object:
    """The small limits with some others."""
    return SMALL.model_copy(update=values)


def _left(state: Path) -> list[str]:
    return sorted(path.name for path in state.iterdir()) if state.is_dir() else []


def _snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}
