"""Why a connection failed, in the operating system's words instead of a library's."""

from copilot.core.text import one_line

_DEEPEST = 8


def reason(problem: BaseException) -> str:
    """Return the innermost cause, such as ``connection refused``; the outer message, cut, when none is known.

    HTTP libraries wrap the error of the socket several times: as ``__cause__``, ``reason`` or first argument.
    """
    inner: BaseException | None = problem
    for _ in range(_DEEPEST):
        if inner is None:
            break
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror[:1].lower() + inner.strerror[1:]
        inner = _within(inner)
    return one_line(str(problem), 200)


def _within(problem: BaseException) -> BaseException | None:
    wrapped = (problem.__cause__, getattr(problem, "reason", None), *problem.args, problem.__context__)
    return next((one for one in wrapped if isinstance(one, BaseException)), None)
