"""Following logs."""

import threading

from headwater.box.logs import follow
from headwater.box.programs import Program


class _Named:
    name = "spark"


def test_following_goes_on_after_rotation(tmp_path):
    """A line that is written after the file was rotated is still seen."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "spark.log"
    log.write_text("before\n")
    lines = follow(tmp_path, (Program(_Named(), ""),))
    timers = [threading.Timer(0.2, lambda: _append(log, "one\n")), threading.Timer(0.8, lambda: _rotate(log, "two\n"))]
    for timer in timers:
        timer.start()

    found = [next(lines), next(lines)]

    lines.close()
    assert found == [("spark", "one"), ("spark", "two")]
    for timer in timers:
        timer.join()


def _append(log, text):
    with log.open("a") as file:
        file.write(text)


def _rotate(log, text):
    log.rename(log.with_suffix(".log.1"))
    log.write_text(text)
