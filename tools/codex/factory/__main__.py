"""The front door is `cli.main`; two words, for processes of our own, lead past it."""

import sys


def _main() -> int:
    word = sys.argv[1] if len(sys.argv) == 2 else ""
    if word == "_supervisor":
        from tools.codex.factory.executors.supervisor import serve

        return serve()
    if word == "_integrator":
        from tools.codex.factory.host import take_host
        from tools.codex.factory.pipelines.integrator import serve as integrate

        return integrate(take_host(), sys.stdin.buffer, sys.stdout.buffer)
    from tools.codex.factory.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
