"""CPU seconds, those of Stan's processes included."""

import resource


def measure_cpu() -> float:
    """Give the CPU seconds of this process and of its children that have ended."""
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in told)
