"""The command line and the configuration: what is told to people, and with which exit code."""

import functools
import re

import pytest

from support.command import run_adtally

SUBCOMMANDS = ["all", "demo", "collector", "processor", "replay", "check-config", "rebuild", "dlt",
               "mend-redis", "sign-click"]
SECRET = "hunter2-of-the-tests"


@pytest.fixture(scope="module")
def adtally(shared):
    return shared()


@pytest.fixture
def run(tmp_path):
    """Runs a command where it may leave what it likes: the default data directory is ./data."""
    return functools.partial(run_adtally, cwd=tmp_path, timeout=30)


def test_help_lists_the_subcommands(run):
    told = run("--help")
    assert (told.returncode, told.stderr) == (0, "")
    for name in SUBCOMMANDS:
        assert re.search(rf"^ +{name} ", told.stdout, re.M)


@pytest.mark.parametrize("name, options", [
    ("all", ["--config", "--set", "--data-dir", "--port-offset", "--redis-url", "--log"]),
    ("demo", ["--data-dir", "--port-offset"]),
    ("collector", ["--kafka", "--redis-url", "--data-dir", "--set"]),
    ("processor", ["--kafka", "--redis-url", "--data-dir", "--set"]),
    ("replay", ["--format", "--speed", "--time-shift", "--url", "--batch", "--reverse"]),
    ("check-config", ["--config", "--set", "--describe"]),
    ("sign-click", ["--secret", "--to", "--ad", "--hours"])])
def test_each_subcommand_has_help(run, name, options):
    told = run(name, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    for option in options:
        assert option in told.stdout


def test_the_version_is_told(run):
    told = run("--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"(adtally )?\d+\.\d+\.\d+\S*\n", told.stdout)


@pytest.mark.parametrize("words", [
    [], ["nothing"], ["all", "--nothing"], ["all", "--port-offset", "x"],
    ["all", "--port-offset", "99999"], ["all", "--log", "xml"], ["all", "--config", "/nowhere"],
    ["replay"], ["replay", "/nowhere"], ["replay", "--format", "csv", "/dev/null"],
    ["replay", "--speed", "fast", "/dev/null"], ["replay", "--speed", "0", "/dev/null"],
    ["sign-click", "--secret", "s"], ["check-config", "all"],
    ["sign-click", "--secret", "s", "--to", "https://a.example", "--ad", "0"],
    ["all", "--crash-at", "nowhere"], ["all", "--crash-at", "log-after-commit:x"],
    ["all", "--crash-at", "log-after-commit:0"], ["all", "--crash-at", "log-after-commit:1x"]])
def test_wrong_usage_is_exit_code_2_and_a_word_why(run, words):
    told = run(*words)
    assert told.returncode == 2, told.stderr
    assert told.stdout == "" and told.stderr.strip()
    assert "terminate" not in told.stderr


def test_all_errors_of_a_configuration_are_told_at_once(run, tmp_path):
    file = tmp_path / "bad.yml"
    file.write_text(
        "collector:\n  prot: 8085\n  max-connections: many\nlog.format: json\n"
        "processor.port: 70000\nlog.format: text\n", encoding="utf-8")
    told = run(
        "check-config", "--config", file, "--set", "collector.bind-adress=::1", "--set",
        "log.level=loud", "--set", "nothing", environment={"ADTALLY_COLLECTOR_PROT": "1"})
    assert (told.returncode, told.stdout) == (1, "")
    lines = told.stderr.splitlines()
    assert lines[0] == "adtally: the configuration has errors:"
    for wanted in (
            f"{file}:2: collector.prot: unknown setting; did you mean collector.port?",
            f"{file}:3: collector.max-connections: `many` is not an integer; allowed: integer",
            f"{file}:5: processor.port: `70000` is out of bounds; allowed: integer from 1 to 65535",
            f"{file}:6: log.format: set twice, first in line 4",
            "environment: ADTALLY_COLLECTOR_PROT: unknown variable; did you mean "
            "ADTALLY_COLLECTOR_PORT?",
            "--set: collector.bind-adress: unknown setting; did you mean collector.bind?",
            "--set: log.level: `loud` is not a choice; allowed: one of info, trace, debug",
            "--set number 3: is not key=value"):
        assert sum(line.startswith(wanted) for line in lines) == 1, (wanted, told.stderr)
    assert len(lines) == 9


def test_a_right_configuration_is_described_with_its_sources(run, tmp_path):
    file = tmp_path / "good.yml"
    file.write_text("collector:\n  port: 9000\n  io-threads: 2\n", encoding="utf-8")
    told = run(
        "check-config", "--config", file, "--set", "collector.port=9001",
        environment={"ADTALLY_COLLECTOR_IO_THREADS": "3", "ADTALLY_PROCESSOR_PORT": "9002"})
    assert (told.returncode, told.stderr) == (0, "")
    assert "collector.port: 9001  # --set" in told.stdout
    assert "collector.io-threads: 3  # environment ADTALLY_COLLECTOR_IO_THREADS" in told.stdout
    assert "processor.port: 9002  # environment ADTALLY_PROCESSOR_PORT" in told.stdout
    assert "log.format: json  # default" in told.stdout
    # What is described reads back.
    again = tmp_path / "again.yml"
    again.write_text(told.stdout.replace("******", '""'), encoding="utf-8")
    assert run("check-config", "--config", again).returncode == 0


def test_every_setting_is_described(run):
    told = run("check-config", "--describe")
    rows = re.findall(r"^\| `([a-z.-]+)` \| (.+) \|$", told.stdout, re.M)
    described = run("check-config").stdout
    assert sorted(name for name, _ in rows) == sorted(re.findall(r"^([a-z.-]+):", described, re.M))
    assert len(rows) > 30


def test_an_unknown_variable_stops_the_start(run, tmp_path):
    told = run("all", environment={"ADTALLY_LOGLEVEL": "x"})
    assert told.returncode == 1
    assert "ADTALLY_LOGLEVEL: unknown variable; did you mean ADTALLY_LOG_LEVEL?" in told.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("words", [
    ["check-config", "--set", f"collector.click-secret={SECRET}", "--set",
     f"alerts.webhook-secret={SECRET}", "--set", f"collector.postback-tokens=a,{SECRET}",
     "--set", f"redis.url=redis://:{SECRET}@127.0.0.1:1"],
    ["check-config", "--set", SECRET],
    ["check-config", "--set", f"collector.click-secret={SECRET * 4000}"],
    ["check-config", "--set", f"collector.click-secert={SECRET}"],
    ["all", "--redis-url", f"redis://:{SECRET}@127.0.0.1:notaport/0"],
    ["all", "--redis-url", f"http://:{SECRET}@127.0.0.1/0"]])
def test_a_secret_is_never_printed(run, words):
    told = run(*words)
    assert told.stdout + told.stderr
    assert SECRET not in told.stdout + told.stderr


def test_secrets_are_not_in_the_log_of_a_start(make_adtally):
    adtally = make_adtally(
        "--set", f"collector.click-secret={SECRET}", "--log", "text",
        environment={"ADTALLY_COLLECTOR_POSTBACK_TOKENS": SECRET})
    assert adtally.stop() == 0
    started, _, log = adtally.log_path.read_text(encoding="utf-8").partition("\n")
    assert SECRET in started, "the harness's own line"
    assert "adtally is ready" in log and SECRET not in log
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} INFO  redis", log), "text, as asked for"


def test_a_port_in_use_is_one_line_with_the_remedy(run, adtally):
    told = run("all", "--port-offset", adtally.offset)
    assert told.returncode == 1
    assert_one_line(told.stderr, str(adtally.redis_port), "--port-offset")


def test_a_missing_redis_server_is_one_line_with_the_remedy(run, adtally, tmp_path):
    told = run(
        "all", "--port-offset", adtally.offset - 1, environment={"PATH": str(tmp_path)})
    assert told.returncode == 1
    assert_one_line(told.stderr, "redis-server", "--redis-url")


def test_a_data_directory_that_cannot_be_made_is_one_line_with_the_remedy(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    told = run("all", "--data-dir", tmp_path / "file" / "data")
    assert told.returncode == 1
    assert_one_line(told.stderr, str(tmp_path), "--data-dir")


def test_a_data_directory_in_use_is_one_line_with_the_remedy(run, adtally):
    told = run("all", "--data-dir", adtally.data_dir, "--port-offset", adtally.offset - 1)
    assert told.returncode == 1
    assert_one_line(told.stderr, str(adtally.data_dir), "in use by another adtally", "--data-dir")
    assert adtally.is_ready("collector") and adtally.is_ready("processor")


def test_an_offset_that_leaves_the_ports_is_told(run):
    told = run("all", "--port-offset", 57_000, "--set", "collector.port=9000")
    assert told.returncode == 1
    assert_one_line(told.stderr, "collector.port with --port-offset 57000 is 66000")


def assert_one_line(text, *parts):
    lines = text.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("adtally: "), text
    for part in parts:
        assert part in lines[0]


def test_what_follows_a_comma_in_a_secret_is_not_printed(run):
    told = run("processor", "--kafka", "127.0.0.1:1", "--set",
               "kafka.properties=sasl.username=adtally,sasl.password=front,the-back-of-it")
    assert told.returncode == 1
    assert "kafka.properties: item 3 of 3 is not of the form name=value" in told.stderr
    assert "--config" in told.stderr
    assert "the-back-of-it" not in told.stderr + told.stdout


def test_items_of_a_yaml_list_may_hold_commas(run, tmp_path):
    file = tmp_path / "kafka.yaml"
    file.write_text("kafka:\n  properties:\n    - sasl.password=a,b,c\n    - client.id=x\n"
                    "    - nonsense\n", encoding="utf-8")
    told = run("processor", "--kafka", "127.0.0.1:1", "--config", file)
    assert "item 3 of 3 " in told.stderr and "nonsense" not in told.stderr


def test_a_torn_append_only_file_is_mended_and_named(run, tmp_path):
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.incr.aof seq 1 type i\n", encoding="utf-8")
    file = folder / "appendonly.aof.1.incr.aof"
    whole = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
    file.write_bytes(whole + b"*1\r\n$5\r\nMULTI\r\n")
    told = run("mend-redis", tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == f"{file}: 15 bytes cut off that a torn write had left\n"
    assert file.read_bytes() == whole
    assert run("mend-redis", tmp_path).stdout == f"{file}: whole\n"
    file.write_bytes(b"SELECT 0\r\n")
    told = run("mend-redis", tmp_path)
    assert told.returncode == 1
    assert_one_line(told.stderr, str(file), "damaged", "redis-check-aof --fix")
    assert file.read_bytes() == b"SELECT 0\r\n"


def test_without_an_append_only_file_nothing_was_mended(run, tmp_path):
    told = run("mend-redis", tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert_one_line(told.stderr, str(tmp_path / "appendonlydir"), "`dir`", "appenddirname")
    told = run("mend-redis", "--may-be-new", tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert str(tmp_path) in told.stdout


def test_the_append_only_file_of_a_running_redis_is_left_alone(run, adtally):
    directory = adtally.redis.config_get("dir")["dir"]
    told = run("mend-redis", directory)
    assert (told.returncode, told.stdout) == (1, "")
    assert_one_line(told.stderr, directory, "stop it first")
