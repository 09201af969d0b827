"""Each cell of the README's table of formats is a test: which, stands here, and that all of them are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = ("read", "written", "checked against", "what is lost")

EX, CORE, LIBRARIES = "adapters/exchange/", "core/exchange/", "adapters/exchange/test_real_libraries.py::"
SCRIPTED = "stages/test_scripted_in_a_container.py::"
CELLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Harbor 1.4 tasks": (
        (f"{EX}test_harbor_importer.py::test_a_foreign_task_comes_in_with_all_its_files_and_can_be_read_again",),
        (
            f"{EX}test_harbor_models.py::test_all_kinds_of_folders_load",
            "core/test_packing.py::test_a_task_brings_its_base_and_a_broken_one_is_named",
        ),
        (
            f"{EX}test_harbor_models.py::test_all_kinds_of_folders_load",
            f"{SCRIPTED}test_the_solution_is_accepted_and_doing_nothing_is_not",
        ),
        (
            f"{CORE}test_harbor_tasks.py::test_everything_is_kept_and_what_nothing_acts_on_is_told",
            f"{EX}test_swebench_write.py::test_rows_of_a_task_of_another_origin",
        ),
    ),
    "Terminal-Bench folders": (
        (f"{EX}test_harbor_importer.py::test_a_legacy_folder_comes_in",),
        (f"{CORE}test_harbor_tasks.py::test_a_terminal_bench_folder_becomes_one_of_harbor",),
        (f"{SCRIPTED}test_the_solution_is_accepted_and_doing_nothing_is_not",),
        (f"{CORE}test_harbor_tasks.py::test_a_terminal_bench_folder_becomes_one_of_harbor",),
    ),
    "SWE-bench rows": (
        (
            f"{CORE}test_swebench_rows.py::test_a_family_is_told_by_its_keys",
            f"{EX}test_raw_rows.py::test_every_notation",
            f"{EX}test_raw_rows.py::test_parquet_and_broken_parquet",
        ),
        (
            f"{CORE}test_swebench_tasks.py::test_a_round_trip_gives_the_same_row",
            f"{EX}test_swebench_write.py::test_a_tree_is_written_again_over_itself",
        ),
        (f"{EX}test_swebench_check.py::test_the_real_check_finds_nothing",),
        (f"{CORE}test_swebench_rows.py::test_foreign_parsers_are_a_loss_and_impossible_ids_too",),
    ),
    "predictions": (
        ("stages/test_predictions.py::test_a_run_is_graded_once_and_faults_are_no_answers",),
        (
            f"{EX}test_swebench_write.py::test_reference_changes_as_predictions",
            "cli/test_converting.py::test_a_run_of_predictions_in_one_line_and_in_reports",
        ),
        (f"{CORE}test_swebench_predictions.py::test_the_report_of_each",),
        (f"{CORE}test_swebench_predictions.py::test_a_round_trip",),
    ),
    "ATIF 1.8 trajectories": (
        (f"{CORE}test_strange_input.py::test_every_version_is_read",),
        (f"{CORE}test_round_trips.py::test_a_trajectory_goes_out_and_comes_back",),
        (f"{LIBRARIES}test_atif_takes_what_we_write",),
        (f"{CORE}test_round_trips.py::test_unknown_keys_are_what_is_lost_and_nothing_else",),
    ),
    "mini-swe-agent 1.1 trajectories": (
        (f"{CORE}test_strange_input.py::test_a_run_of_mini_swe_agent_becomes_a_trial",),
        (),
        (f"{CORE}test_strange_input.py::test_plain_text_and_responses_are_read_as_well",),
        (f"{CORE}test_strange_input.py::test_a_run_of_mini_swe_agent_becomes_a_trial",),
    ),
    "SFT, DPO, KTO, reward, stepwise rows; chats": (
        (),
        (
            f"{EX}test_trials_on_disk.py::test_files_of_trials_go_out_in_every_format",
            f"{EX}test_trials_on_disk.py::test_a_data_set_is_laid_out_in_shards",
        ),
        (f"{LIBRARIES}test_datasets_loads_each_shape_by_its_card", f"{LIBRARIES}test_trl_knows_each_shape"),
        (f"{CORE}test_round_trips.py::test_messages_lack_what_is_told_and_nothing_else",),
    ),
    "environments for training loops": (
        (),
        (
            f"{LIBRARIES}test_verifiers_loads_the_package_and_grades_by_our_verdict",
            f"{LIBRARIES}test_the_plain_package_is_what_trl_s_environment_factory_takes",
        ),
        (
            f"{LIBRARIES}test_verifiers_loads_the_package_and_grades_by_our_verdict",
            f"{LIBRARIES}test_the_plain_package_is_what_trl_s_environment_factory_takes",
        ),
        (f"{LIBRARIES}test_verifiers_loads_the_package_and_grades_by_our_verdict",),
    ),
}


def rows() -> dict[str, list[str]]:
    text = (ROOT / "README.md").read_text()
    table = re.search(r"\| format \|.*?\n\n", text, re.DOTALL)
    assert table is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].strip().splitlines()]
    assert tuple(lines[0][1:]) == COLUMNS
    return {cells[0]: cells[1:] for cells in lines[2:]}


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def test_each_row_is_here_and_nothing_else() -> None:
    assert sorted(name.partition(" (")[0] for name in rows()) == sorted(CELLS)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_each_cell_has_a_test(name: str) -> None:
    said = next(cells for row, cells in rows().items() if row.partition(" (")[0] == name)
    for column, cell, tests in zip(COLUMNS, said, CELLS[name], strict=True):
        assert bool(tests) == (cell != "no"), column
        for test in tests:
            file, _, function = test.partition("::")
            assert function in functions_of(file), test
