"""The rules that hold for every test do catch what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")


def run(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    """One test file under this project's own settings and rules."""
    pytester.makeconftest(RULES)
    file = pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-c", ROOT / "pyproject.toml", "--rootdir", pytester.path, file)


def test_a_task_left_running_fails(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio

        async def forever():
            await asyncio.Event().wait()

        async def test_leaks():
            asyncio.get_running_loop().leaked = asyncio.create_task(forever())
        """,
    )
    result.stdout.fnmatch_lines(["*left running: *forever*"])
    result.assert_outcomes(passed=1, errors=1)


def test_a_task_that_ends_by_itself_passes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio

        async def test_ends():
            task = asyncio.create_task(asyncio.sleep(3600))
            task.cancel()
        """,
    )
    result.assert_outcomes(passed=1)


def test_our_code_blocking_the_loop_fails(pytester: pytest.Pytester) -> None:
    test = """
        from signaling.first_run import open_secrets

        {}def test_blocks(tmp_path):
            open_secrets(tmp_path)
        """
    run(pytester, test.format("async ")).stdout.fnmatch_lines(["*BlockingError*"])
    run(pytester, test.format("")).assert_outcomes(passed=1)


def test_a_warning_fails(pytester: pytest.Pytester) -> None:
    result = run(pytester, "import warnings\n\ndef test_warns(): warnings.warn('old')")
    result.assert_outcomes(failed=1)


def test_browser_tests_run_last(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import pytest

        ORDER = []

        @pytest.mark.browser
        def test_slow(): assert ORDER == ["fast"]

        def test_fast(): ORDER.append("fast")
        """,
    ).stdout.fnmatch_lines(["*2 passed*"])
