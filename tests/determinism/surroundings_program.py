"""Prints all that a program can read of its surroundings, a line for each; run as a script."""
# The plain ways are what is tried.
# ruff: noqa: PTH100, PTH109, PTH111, C416, SIM115

import _random
import contextlib
import fileinput
import functools
import getpass
import grp
import locale
import os
import platform
import pwd
import random
import resource
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
import uuid
from datetime import date, datetime
from os import environ, getcwd
from pathlib import Path
from time import time as now

AT_IMPORT = (now(), datetime.now(), getcwd(), os.getpid(), uuid.uuid4())


def show(name, *values):
    print(f"{name}:", *values)


def tried(call):
    """Return what a call gives, or what it raises."""
    try:
        return call()
    except (OSError, KeyError, locale.Error, EOFError) as error:
        return f"{type(error).__name__}: {error}"


def read_surroundings():
    show("import", *AT_IMPORT)
    show("argv", sys.argv)
    show("directory", getcwd(), os.getcwdb(), Path.cwd(), os.path.abspath("x"))
    show("clock", now(), time.process_time(), os.times(), resource.getrusage(0))
    show("clock info", time.get_clock_info("monotonic"))
    summer = (2024, 7, 1, 12, 0, 0, 0, 0, -1)
    show("zone", time.tzname, time.timezone, time.daylight, time.strftime("%c %Z %z"))
    show("local", time.localtime(0), time.localtime(), time.mktime(summer), time.ctime(0))
    show("aware", datetime.now().astimezone(), datetime.fromtimestamp(1e9).astimezone())
    show("stamp", datetime(2024, 7, 1).timestamp(), date.today())
    show("parsed", time.strptime("2024-05-06", "%Y-%m-%d"))
    show("streams", [each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)])
    show("descriptors", [os.isatty(each) for each in range(3)], tried(lambda: os.ttyname(1)))
    show("size", tried(os.get_terminal_size), shutil.get_terminal_size())
    show("coding", sys.stdin.encoding, sys.stdout.encoding, sys.stdout.errors)
    show(
        "locale",
        locale.setlocale(locale.LC_CTYPE),
        tried(lambda: locale.setlocale(locale.LC_ALL, "")),
    )
    show("no locale", tried(lambda: locale.setlocale(locale.LC_ALL, "xx_YY")))
    show("encoding", locale.getpreferredencoding(), locale.nl_langinfo(locale.CODESET))
    show("conventions", locale.localeconv())
    show("host", socket.gethostname(), socket.getfqdn(), platform.node(), os.uname())
    show("platform", platform.uname(), platform.platform(), platform.processor())
    show("libc", platform.libc_ver(), platform.architecture())
    show("process", os.getpid(), os.getppid(), os.getuid(), os.getgroups(), tried(os.getlogin))
    show("thread", threading.get_native_id())
    show("user", getpass.getuser(), Path.home(), os.path.expanduser("~root"))
    show("accounts", pwd.getpwuid(0), grp.getgrgid(0), tried(lambda: pwd.getpwnam("no-one")))
    show("cores", os.cpu_count(), sorted(os.sched_getaffinity(0)), os.sysconf("SC_PAGESIZE"))
    show("load", os.getloadavg(), shutil.disk_usage("/"))
    show("random", random.random(), random.Random().random(), _random.Random().random())
    show("secret", random.SystemRandom().random(), secrets.token_hex(4), os.urandom(3))
    random.seed(None)
    show("seeded", random.random(), os.getrandom(2))
    show("uuid", uuid.uuid1(), uuid.uuid4(), uuid.uuid5(uuid.NAMESPACE_DNS, "x"))
    show("node", hex(uuid.getnode()))
    show("temporary", tempfile.gettempdir(), next(tempfile._get_candidate_names()))
    show("environment", environ.get("HOME"), environ.get("TZ"), os.getenv("LC_ALL"))


def change_surroundings():
    show("gone", tried(lambda: os.chdir("/usr")), getcwd(), tried(lambda: os.chdir("/no/such")))
    with contextlib.chdir("/"):
        show("inside", Path.cwd())
    show("back", os.getcwd())
    calls = [functools.partial(now), datetime.now, os.getcwd]
    show("bound", list(map(lambda call: call(), calls)), (lambda clock=time.time: clock())())
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    show("tzset", time.tzname, time.localtime(0))
    show("alive", os.kill(os.getpid(), 0))


def read_input():
    show("typed", tried(lambda: input("who?\n")), repr(sys.stdin.readline()))
    show("bytes", sys.stdin.buffer.read(3), tried(lambda: input("more?\n")))
    show("lines", [line for line in fileinput.input("-")], tried(input))


def draw():
    from rich.console import Console
    from rich.table import Table

    table = Table(title="drawn")
    table.add_column("a")
    table.add_row("[red]x[/red]" * 40)
    Console().print(table)
    # Nothing is written to it: on a terminal its text would stand in the middle of a line of ours.
    show("errors", sys.stderr.isatty())


if __name__ == "__main__":
    read_surroundings()
    change_surroundings()
    read_input()
    draw()
