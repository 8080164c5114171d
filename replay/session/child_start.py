"""What Python is told to do in a child process, before any module of ours is there."""

from __future__ import annotations

from typing import Final

__all__ = ["START"]

#: What Python is told to do in the child; it finds the engine where this process did. A module of
#: the program's that has the engine's name is found, but not run.
START: Final = """\
import sys
loaded = frozenset(sys.modules)
if not sys.flags.safe_path:
    del sys.path[0]
if sys.argv[1]:
    sys.path.insert(0, sys.argv[1])
def start():
    import os
    from importlib.util import find_spec
    what, where = "the engine is not installed", sys.executable
    try:
        roots = set()
        for name, own in (("replay", "session/child.py"), ("orchestrator", "__init__.py")):
            spec = find_spec(name)
            if spec is None:
                continue
            place = os.path.dirname(spec.origin or "")
            roots.add(os.path.dirname(place))
            if len(roots) > 1 or not os.path.isfile(os.path.join(place, own)):
                where = spec.origin or str(list(spec.submodule_search_locations or ()))
                what = f"a module {name!r} of the program's is found in place of the engine's"
                break
        else:
            if roots:
                from replay.session.child import main
                return main
    except KeyboardInterrupt:
        import signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as error:
        what = f"the engine cannot be loaded ({type(error).__name__}: {error})"
    import json
    pip = f"{sys.executable} -m pip install /path/to/it"
    hint = f"install it there, from its checkout or wheel: {pip}"
    said = {"type": "failed", "error": "UsageError", "message": what, "where": where, "hint": hint}
    os.write(int(sys.argv[3]), json.dumps(said).encode() + b"\\n")
    os._exit(2)
main = start()
main(loaded)
"""
