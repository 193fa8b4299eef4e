"""The list of what is taken out (see `mutations`) fits the code and the tests as they are."""

import ast
from functools import cache

from tests.faults.mutations import ROOT, read

MUTATIONS = read()


@cache
def functions(path: str) -> set[str]:
    """The names of the tests in a file, and of their classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))) if isinstance(node, kinds)}


def test_what_is_taken_out_is_in_the_code_once_and_leaves_it_python() -> None:
    for mutation in MUTATIONS:
        before = (ROOT / mutation.file).read_text("utf-8")
        after = mutation.applied(before)
        assert after != before, mutation.what
        assert compile(after, mutation.what, "exec")


def test_the_tests_that_should_notice_exist() -> None:
    for mutation in MUTATIONS:
        assert mutation.tests, mutation.what
        for test in mutation.tests:
            path, _, name = test.partition("::")
            parts = name.partition("[")[0].split("::") if name else []
            assert functions(path).issuperset(parts), f"{mutation.what}: there is no {test}"


def test_each_is_named_once() -> None:
    names = [mutation.what for mutation in MUTATIONS]
    assert len(names) == len(set(names)) > 100
