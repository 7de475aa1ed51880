"""Lines of a trace are read as calls, or refused."""

from __future__ import annotations

import pytest

from tests.crash.calls import Call, TraceError, read_calls


def one(line: str) -> Call:
    (call,) = read_calls([line])
    return call


def test_strings_are_bytes_and_numbers_have_their_base() -> None:
    call = one(r'71    openat(AT_FDCWD, "\x2f\x61\xc3", O_WRONLY|O_CREAT, 0666) = 3')
    assert (call.pid, call.name, call.result) == (71, "openat", 3)
    assert call.arguments == ["AT_FDCWD", b"/a\xc3", "O_WRONLY|O_CREAT", 0o666]


def test_arrays_and_structures_are_taken_apart() -> None:
    call = one(r'7 writev(4, [{iov_base="\x61", iov_len=1}, {iov_base="", iov_len=0}], 2) = 1')
    assert call.arguments == [4, [{"iov_base": b"a", "iov_len": 1}, {"iov_base": b"", "iov_len": 0}], 2]


def test_what_the_kernel_made_of_a_value_is_passed_over() -> None:
    assert one("7 sendfile(7, 6, [512] => [1294], 8388608) = 782").arguments == [7, 6, [512], 8388608]
    threads = one("7 clone3({flags=CLONE_VM|CLONE_FILES, stack=0x7f0} => {parent_tid=[8]}, 88) = 8")
    assert threads.arguments[0]["flags"] == "CLONE_VM|CLONE_FILES"


def test_comments_are_passed_over() -> None:
    assert one(r'7 execve("\x2f\x62", ["\x62"], 0x7ffe1 /* 3 vars */) = 0').arguments == [b"/b", [b"b"], 0x7FFE1]


def test_words_may_hold_brackets() -> None:
    assert one("7 ioctl(6, _IOC(_IOC_READ, 0x54, 0x1, 0x4), 0x7f) = 0").arguments[1].startswith("_IOC(_IOC_READ, 0x54")
    assert one("7 fcntl(8, F_GETFL) = 0x8000 (flags O_RDONLY|O_LARGEFILE)").result == 0x8000


def test_calls_that_failed_did_nothing() -> None:
    assert read_calls([r'7 unlink("\x61") = -1 ENOENT (No such file or directory)', "7 exit_group(0) = ?"]) == []


def test_signals_and_ends_of_processes_are_no_calls() -> None:
    assert read_calls(["7 --- SIGCHLD {si_signo=SIGCHLD} ---", "7 +++ exited with 0 +++"]) == []


def test_calls_that_others_interrupt_are_put_together_where_they_ended() -> None:
    calls = read_calls(
        [
            "7 fsync(3 <unfinished ...>",
            r'8 write(4, "\x61", 1 <unfinished ...>',
            "7 <... fsync resumed>) = 0",
            "8 <... write resumed>)          = 1",
        ]
    )
    assert [(call.name, call.pid, call.begun, call.ended) for call in calls] == [("fsync", 7, 0, 2), ("write", 8, 1, 3)]
    assert calls[1].arguments == [4, b"a", 1]


def test_a_thread_is_made_before_what_it_does() -> None:
    calls = read_calls(
        ["7 clone3({flags=CLONE_FILES}, 88 <unfinished ...>", "8 close(3) = 0", "7 <... clone3 resumed>) = 8"]
    )
    assert [call.name for call in calls] == ["clone3", "close"]


@pytest.mark.parametrize("line", [r'7 write(1, "\x61"..., 9) = 9', "7 nonsense", "fsync(3) = 0", "7 write([1) = 0"])
def test_what_cannot_be_trusted_is_refused(line: str) -> None:
    with pytest.raises(TraceError):
        read_calls([line])
