"""Calls everything that is answered through every way of holding a function; prints what failed.

A script, since other interpreters run it too. Its argument is "doors", or "no doors" for the twin.
"""

import _random
import functools
import getpass
import grp
import itertools
import json
import locale
import operator
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
import warnings
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

# name of the opening -> (module or object, attribute, arguments); bound here, before any exchange.
CALLS = {
    "_random.Random": (_random, "Random", ()),
    "date.today": (date, "today", ()),
    "datetime.now": (datetime, "now", ()),
    "datetime.today": (datetime, "today", ()),
    "datetime.utcnow": (datetime, "utcnow", ()),
    "grp.getgrgid": (grp, "getgrgid", (0,)),
    "grp.getgrnam": (grp, "getgrnam", ("root",)),
    "input": (__builtins__, "input", ()),
    "locale.getencoding": (locale, "getencoding", ()),
    "locale.getpreferredencoding": (locale, "getpreferredencoding", ()),
    "locale.localeconv": (locale, "localeconv", ()),
    "locale.nl_langinfo": (locale, "nl_langinfo", (locale.CODESET,)),
    "locale.setlocale": (locale, "setlocale", (locale.LC_TIME,)),
    "os.chdir": (os, "chdir", ("/",)),
    "os.cpu_count": (os, "cpu_count", ()),
    "os.environ": (os.environ, "__getitem__", ("PATH",)),
    "os.environ.get": (os.environ, "get", ("PATH",)),
    "os.environ.keys": (os.environ, "copy", ()),
    "os.environb": (os.environb, "__getitem__", (b"PATH",)),
    "os.fchdir": (os, "fchdir", (0,)),
    "os.get_terminal_size": (os, "get_terminal_size", (1,)),
    "os.getcwd": (os, "getcwd", ()),
    "os.getcwdb": (os, "getcwdb", ()),
    "os.getegid": (os, "getegid", ()),
    "os.getenv": (os, "getenv", ("PATH",)),
    "os.geteuid": (os, "geteuid", ()),
    "os.getgid": (os, "getgid", ()),
    "os.getgroups": (os, "getgroups", ()),
    "os.getloadavg": (os, "getloadavg", ()),
    "os.getlogin": (os, "getlogin", ()),
    "os.getpgrp": (os, "getpgrp", ()),
    "os.getpid": (os, "getpid", ()),
    "os.getppid": (os, "getppid", ()),
    "os.getrandom": (os, "getrandom", (8,)),
    "os.getuid": (os, "getuid", ()),
    "os.isatty": (os, "isatty", (1,)),
    "os.kill": (os, "kill", (1, 0)),
    "os.sched_getaffinity": (os, "sched_getaffinity", (0,)),
    "os.statvfs": (os, "statvfs", ("/",)),
    "os.sysconf": (os, "sysconf", ("SC_PAGESIZE",)),
    "os.times": (os, "times", ()),
    "os.ttyname": (os, "ttyname", (1,)),
    "os.uname": (os, "uname", ()),
    "os.urandom": (os, "urandom", (8,)),
    "platform.architecture": (platform, "architecture", ()),
    "platform.libc_ver": (platform, "libc_ver", ()),
    "platform.platform": (platform, "platform", ()),
    "platform.processor": (platform, "processor", ()),
    "platform.uname": (platform, "uname", ()),
    "pwd.getpwnam": (pwd, "getpwnam", ("root",)),
    "pwd.getpwuid": (pwd, "getpwuid", (0,)),
    "random.seed": (random.Random(0), "seed", ()),
    "resource.getrusage": (resource, "getrusage", (resource.RUSAGE_SELF,)),
    "socket.getfqdn": (socket, "getfqdn", ()),
    "socket.gethostname": (socket, "gethostname", ()),
    "tempfile names": (tempfile, "mktemp", ()),
    "tempfile.gettempdir": (tempfile, "gettempdir", ()),
    "threading.get_native_id": (threading, "get_native_id", ()),
    "time.asctime": (time, "asctime", ()),
    "time.clock_gettime": (time, "clock_gettime", (time.CLOCK_REALTIME,)),
    "time.clock_gettime_ns": (time, "clock_gettime_ns", (time.CLOCK_REALTIME,)),
    "time.ctime": (time, "ctime", ()),
    "time.get_clock_info": (time, "get_clock_info", ("time",)),
    "time.gmtime": (time, "gmtime", ()),
    "time.localtime": (time, "localtime", ()),
    "time.monotonic": (time, "monotonic", ()),
    "time.monotonic_ns": (time, "monotonic_ns", ()),
    "time.perf_counter": (time, "perf_counter", ()),
    "time.perf_counter_ns": (time, "perf_counter_ns", ()),
    "time.process_time": (time, "process_time", ()),
    "time.process_time_ns": (time, "process_time_ns", ()),
    "time.strftime": (time, "strftime", ("%Y",)),
    "time.thread_time": (time, "thread_time", ()),
    "time.thread_time_ns": (time, "thread_time_ns", ()),
    "time.time": (time, "time", ()),
    "time.time_ns": (time, "time_ns", ()),
    "time.tzset": (time, "tzset", ()),
    "uuid.getnode": (uuid, "getnode", ()),
    "uuid.uuid1": (uuid, "uuid1", ()),
}
#: What follows from others: (module or object, attribute, arguments, source that must be asked).
FOLLOWS = {
    "Path.cwd": (Path, "cwd", (), "process.directory"),
    "Path.home": (Path, "home", (), "env"),
    "Random()": (random, "Random", (), "urandom"),
    "SystemRandom.random": (random.SystemRandom(), "random", (), "urandom"),
    "getpass.getuser": (getpass, "getuser", (), "env"),
    "os.path.abspath": (os.path, "abspath", ("x",), "process.directory"),
    "platform.machine": (platform, "machine", (), "process.platform"),
    "platform.node": (platform, "node", (), "process.platform"),
    "platform.version": (platform, "version", (), "process.platform"),
    "secrets.token_bytes": (secrets, "token_bytes", (8,), "urandom"),
    "shutil.disk_usage": (shutil, "disk_usage", ("/",), "statvfs"),
    "shutil.get_terminal_size": (shutil, "get_terminal_size", (), "env"),
    "uuid.uuid4": (uuid, "uuid4", (), "urandom"),
}
if hasattr(uuid, "uuid7"):
    FOLLOWS["uuid.uuid6"] = (uuid, "uuid6", (), "time_ns")
    FOLLOWS["uuid.uuid7"] = (uuid, "uuid7", (), "urandom")
HELD = {name: getattr(call[0], call[1]) for name, call in {**CALLS, **FOLLOWS}.items()}


class Holder:
    """Holds functions as a class does."""


for _name, _function in HELD.items():
    setattr(Holder, _name, staticmethod(_function))


def forms(name, owner, attribute, arguments):
    """Yield each way to call one function, as name and a callable without arguments."""
    held = HELD[name]

    def default(function=held):
        return function(*arguments)

    def hot():
        for _ in range(64):  # the interpreter specialises the call
            held(*arguments)

    yield "imported", lambda: held(*arguments)
    yield "attribute", lambda: getattr(owner, attribute)(*arguments)
    yield "default argument", default
    yield "static method", lambda: getattr(Holder, name)(*arguments)
    yield "partial", functools.partial(held, *arguments)
    yield "starmap", lambda: list(itertools.starmap(held, [arguments]))
    yield "map", lambda: list(map(held, *([each] for each in arguments))) if arguments else held()
    yield "called from C", lambda: operator.call(held, *arguments)
    yield "loop", hot


class Probe:
    """Answers what the openings say that they accept."""

    def __init__(self, probes):
        self.probes = probes
        self.asked = []

    def answer(self, source, argument, live):
        self.asked.append(source)
        return bytes(int(argument)) if source == "urandom" else self.probes[source]


def main(doors):
    from replay.doors.surroundings.answering import ANSWERING
    from replay.doors.surroundings.readings import Readings, all_openings

    here = threading.get_ident()
    present = []
    readings = Readings(lambda: present[0] if present and threading.get_ident() == here else None)
    openings = {opening.name: opening for opening in all_openings()}
    probes = {opening.source: opening.probe for opening in openings.values()}
    wanted = {name: (*call, openings[name].source) for name, call in CALLS.items()}
    wanted |= FOLLOWS

    def line():
        answerer = ANSWERING.lookup()
        return f"{answerer.answer('stdin', '', None)}\n" if answerer else "typed\n"

    sys.stdin = SimpleNamespace(readline=line, fileno=lambda: 99)
    failed, tried = [], 0
    if doors:
        readings.install()
    for name, (owner, attribute, arguments, source) in sorted(wanted.items()):
        if not doors and name in {"os.chdir", "os.fchdir", "os.kill"}:
            continue
        for form, call in forms(name, owner, attribute, arguments):
            if form == "loop" and name in {"platform.architecture", "socket.getfqdn"}:
                continue  # slow without the doors
            tried += 1
            probe = Probe(probes)
            present[:] = [probe]
            try:
                call()
            except OSError as error:
                if doors:
                    failed.append(f"{name}, {form}: {error}")
            finally:
                present.clear()
            if source not in probe.asked:
                failed.append(f"{name}, {form}")
    if doors:
        readings.remove()
    print(
        json.dumps(
            {
                "failed": failed,
                "tried": tried,
                "missing": sorted(set(openings) - set(CALLS)),
                "minor": sys.version_info.minor,
            }
        )
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    import builtins

    CALLS["input"] = (builtins, "input", ())
    main(sys.argv[1] == "doors")
