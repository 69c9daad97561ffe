"""Starts what is measured and what it is measured against, on ports and in folders of its own."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from tables import say


class CannotRun(Exception):
    """One line: what is missing and what helps."""


def say(text=""):
    print(text, flush=True)


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def name_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def get_json(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def post_once(port, path, body):
    """Bytes of the answer's head and body: what the control has to imitate."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 202:
            raise CannotRun(f"a single POST is answered {answer.status}: {content[:200]!r}")
        head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
        return head, len(content)
    finally:
        connection.close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A process that is started, waited for until it answers, and stopped by its id."""

    def __init__(self, command, folder, ready, name):
        self.name = name
        self.folder = folder
        self.log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, cwd=folder)
        try:
            self.wait_until(ready)
        except BaseException:
            self.stop()
            raise

    def wait_until(self, ready, patience=60):
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if ready():
                    return
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.name} is not ready after {patience} s:\n{self.tail()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.1)
                raise CannotRun(f"{self.name} ended at once:\n{self.tail()}")

    def tail(self):
        text = (self.folder / f"{self.name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                say(f"{self.name} does not end by itself; killing it")
                self.process.kill()
                self.process.wait()
        self.log.close()


class Harness:
    """What one call of bench/run holds: the options, the scratch folder, the results."""

    def __init__(self, options):
        self.options = options
        self.results = {}
        self.failed = False
        build = pathlib.Path(options.build).resolve()
        self.adtally_binary = build / "bin" / "adtally"
        self.load_binary = build / "bin" / "adtally-load"
        for binary in (self.adtally_binary, self.load_binary):
            if not binary.exists():
                raise CannotRun(f"{binary} is missing; build it with ./dev build release")
        self.nginx_binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=build))

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    @contextlib.contextmanager
    def adtally(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="adtally-", dir=self.scratch))
        offset = self.options.port_offset
        collector, processor = 8085 + offset, 8086 + offset
        command = [str(self.adtally_binary), "all", "--data-dir", str(folder / "data"),
                   "--port-offset", str(offset), *self.options.adtally_option]
        say(f"    {' '.join(command)}")

        def ready():
            return all(get_json(port, "/actuator/health/readiness")[0] == 200
                       for port in (collector, processor))

        server = Server(command, folder, ready, "adtally")
        try:
            redis = [child for child in children_of(server.process.pid)
                     if name_of(child).startswith("redis")]
            yield {"server": server,
                   "url": f"http://127.0.0.1:{collector}", "collector": collector,
                   "processor": processor, "redis": f"127.0.0.1:{6379 + offset}",
                   "pids": {"adtally": server.process.pid,
                            **({"redis": redis[0]} if redis else {})}}
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def nginx(self, body_size):
        if not self.nginx_binary:
            raise CannotRun("nginx is missing; install it with apt-get install nginx-light")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nginx-", dir=self.scratch))
        port = free_port()
        body = '{"event_id":"' + "0" * (body_size - 15) + '"}'
        folder.chmod(0o755)
        (folder / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; default_type application/json;
                keepalive_requests 1000000000; keepalive_timeout 75s;
                client_body_buffer_size 64k; client_max_body_size 8m;
                client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
                fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
                scgi_temp_path {folder}/s;
                server {{ listen 127.0.0.1:{port}; location / {{ return 202 '{body}'; }} }}
            }}""")
        command = [self.nginx_binary, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        say(f"    {' '.join(command)}  (return 202, {len(body)} bytes)")

        def ready():
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return len(children_of(server_pid())) == 1

        def server_pid():
            return int((folder / "nginx.pid").read_text())

        server = Server(command, folder, ready, "nginx")
        try:
            yield {"url": f"http://127.0.0.1:{port}", "port": port,
                   "pids": {"nginx": children_of(server.process.pid)[0]}}
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def load(self, target, *arguments):
        result = self.scratch / "load.json"
        result.unlink(missing_ok=True)
        command = [str(self.load_binary), "--url", target["url"], "--json", str(result)]
        for name, pid in target["pids"].items():
            command += ["--pid", f"{name}={pid}"]
        command += [str(argument) for argument in arguments]
        say(f"    {' '.join(command)}")
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
        if not result.exists():
            raise CannotRun(f"adtally-load failed:\n{ended.stdout}")
        if self.options.verbose:
            say("".join(f"        {line}\n" for line in ended.stdout.splitlines()))
        figures = json.loads(result.read_text())
        self.failed = self.failed or figures["error_count"] > 0
        return figures

    def books(self, target):
        """The processor's own account, once it has caught up."""
        seen = []

        def caught_up():
            _, status = get_json(target["processor"], "/api/pipeline/status")
            seen.append((sum(one["lag"] for one in status["partitions"]), status))
            return seen[-1][0] == 0

        target["server"].wait_until(caught_up)
        return {"lag_at_the_end": seen[0][0], **seen[-1][1]}


def machine():
    model = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    busy = os.getloadavg()[0]
    warning = "; NOT IDLE: the figures will be too high" if busy > 0.7 else ""
    return (f"{os.cpu_count()} × {model}, Linux {os.uname().release}, "
            f"load average {busy:.2f}{warning}")
