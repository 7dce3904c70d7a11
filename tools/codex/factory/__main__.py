"""The front door is `cli.main`; two words, for processes of our own, lead past it."""

import gc
import os
import sys


def _main() -> int:
    word = sys.argv[1] if len(sys.argv) == 2 else ""
    if word not in ("_supervisor", "_integrator"):
        from tools.codex.factory.cli.main import main

        return main()
    # These live for one answer: collecting what they leave, and taking themselves apart, would
    # take them longer than their work.
    gc.disable()
    code = _served(word)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _served(word: str) -> int:
    if word == "_supervisor":
        from tools.codex.factory.executors.supervisor import serve

        return serve()
    from tools.codex.factory.host import take_host
    from tools.codex.factory.pipelines.integrator import serve as integrate

    return integrate(take_host(), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    sys.exit(_main())
