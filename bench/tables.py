"""The figures of adtally-load as Markdown."""

import statistics

COLLECTOR_THREADS = ("col-", "log-", "rocksdb")
PROCESSOR_THREADS = ("proc-",)


def say(text=""):
    print(text, flush=True)


def latency_cells(run):
    ack = run["ack_us"]
    cells = [f"{run['per_second']:,.0f}", f"{run['error_count']}"]
    cells += [f"{ack[name] / 1e3:.2f}" for name in ("mean", "p50", "p99", "p999", "max")]
    return " | ".join(cells)


def visible_cells(run):
    visible = run["visible_us"]
    lost = f" ({visible['lost']} lost)" if visible["lost"] else ""
    return f"{visible['mean'] / 1e3:.2f} | {visible['p99'] / 1e3:.2f}{lost}"


def cpu_of(run, prefixes, unit="us_per_event"):
    threads = run["cpu"]["adtally"]["threads"]
    return sum(cost[unit] for name, cost in threads.items() if name.startswith(prefixes))


def process_cpu(run, name, unit="us_per_event"):
    return run["cpu"].get(name, {}).get(unit, 0.0)


def cpu_parts(run, unit):
    return (f"collector {cpu_of(run, COLLECTOR_THREADS, unit):.1f}, "
            f"processor {cpu_of(run, PROCESSOR_THREADS, unit):.1f}, "
            f"Redis {process_cpu(run, 'redis', unit):.1f}, "
            f"load {process_cpu(run, 'load', unit):.1f}")


def cpu_control(run):
    return (f"nginx {process_cpu(run, 'nginx', 'us_per_request'):.1f}, "
            f"load {process_cpu(run, 'load', 'us_per_request'):.1f}")


def say_threads(run, unit, what):
    threads = sorted(run["cpu"]["adtally"]["threads"].items(), key=lambda one: -one[1][unit])
    shown = ", ".join(f"{name} {cost[unit]:.2f}" for name, cost in threads
                      if cost[unit] >= 0.005)
    whole = run["cpu"]["adtally"][unit]
    say(f"\nadtally's threads, CPU µs {what}: {shown}; all {whole:.2f}")


def say_books(books):
    say(f"\nBooks: accepted {books.get('accepted')}, counted {books.get('counted')}, duplicates "
        f"{books.get('duplicates')}, balanced {books.get('balanced')}; lag when the load ended "
        f"{books['lag_at_the_end']}\n")


def say_versus(mode, rounds):
    """CPU µs a request, round by round."""
    say(f"\n{mode}, CPU µs a request:\n")
    say("| round | adtally requests/s | HTTP threads | log and storage | collector "
        "| nginx requests/s | nginx | collector ÷ nginx | HTTP threads ÷ nginx |")
    say("|---|---|---|---|---|---|---|---|---|")
    table = []
    for run, control in rounds:
        serving = cpu_of(run, ("col-",), "us_per_request")
        whole = cpu_of(run, COLLECTOR_THREADS, "us_per_request")
        nginx = process_cpu(control, "nginx", "us_per_request")
        table.append((run["per_second"], serving, whole - serving, whole, control["per_second"],
                      nginx, whole / nginx, serving / nginx))
    median = [statistics.median(column) for column in zip(*table)]
    for name, row in [*enumerate(table, start=1), ("median", median)]:
        cells = [f"{value:,.0f}" if index in (0, 4) else f"{value:.2f}"
                 for index, value in enumerate(row)]
        say(f"| {name} | {' | '.join(cells)} |")
    say_threads(rounds[-1][0], "us_per_request", "a request")
