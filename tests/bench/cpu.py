"""What work costs: wall, and CPU with that of Stan's processes."""

import resource
import time
from collections.abc import Callable
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of one piece of work."""

    wall_s: float
    cpu_s: float


def measure_cpu() -> float:
    """Give the CPU seconds of this process and of its children that have ended."""
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in told)


def measure_cost(work: Callable[[], object]) -> Cost:
    """Do the work here and give what it cost."""
    wall, cpu = time.perf_counter(), measure_cpu()
    work()
    return Cost(time.perf_counter() - wall, measure_cpu() - cpu)
