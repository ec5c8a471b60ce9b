"""The published Python client over the whole surface of a server.

Arguments: domain, API key, image, "proxy" or "direct". Any failure is an exception.
"""

import sys
import time
from datetime import timedelta

import httpx
from opensandbox import SandboxSync
from opensandbox.config import ConnectionConfigSync
from opensandbox.exceptions import SandboxApiException
from opensandbox.models.execd import RunCommandOpts
from opensandbox.models.execd_sync import ExecutionHandlersSync
from opensandbox.models.filesystem import (
    ContentReplaceEntry,
    DirectoryListEntry,
    MoveEntry,
    SearchEntry,
    SetPermissionEntry,
    WriteEntry,
)
from opensandbox.models.sandboxes import SandboxFilter
from opensandbox.sync.manager import SandboxManagerSync

domain, key, image, mode = sys.argv[1:]
config = ConnectionConfigSync(
    domain=domain, api_key=key, use_server_proxy=mode == "proxy", disable_metrics=True
)


def until(what):
    """Asks until the answer is true, at most a minute."""
    deadline = time.monotonic() + 60
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not come about within a minute"
        time.sleep(0.05)
    return answer


def commands(sandbox):
    run = sandbox.commands.run("echo out; echo err >&2; exit 3")
    assert [o.text for o in run.logs.stdout] == ["out"], run
    assert [o.text for o in run.logs.stderr] == ["err"], run
    assert run.exit_code == 3, run
    there = RunCommandOpts(working_directory="/tmp", envs={"WHO": "you"})
    run = sandbox.commands.run("pwd; echo $WHO", opts=there)
    assert [o.text for o in run.logs.stdout] == ["/tmp", "you"], run

    # Output arrives while the command runs: the second line waits for a file that is
    # written when the first has been seen.
    seen = []

    def on_stdout(message):
        seen.append(message.text)
        if message.text == "one":
            sandbox.files.write_file("/tmp/go", "")

    waiting = "echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two"
    sandbox.commands.run(waiting, handlers=ExecutionHandlersSync(on_stdout=on_stdout))
    assert seen == ["one", "two"], seen

    background = sandbox.commands.run("echo first; cat /tmp/end; echo last",
                                      opts=RunCommandOpts(background=True))
    ended = until(lambda: not (s := sandbox.commands.get_command_status(background.id)).running and s)
    assert ended.exit_code == 0, ended
    logs = sandbox.commands.get_background_command_logs(background.id)
    assert "first" in logs.content and "last" in logs.content, logs

    sleeper = sandbox.commands.run("sleep 600", opts=RunCommandOpts(background=True))
    assert sandbox.commands.get_command_status(sleeper.id).running
    sandbox.commands.interrupt(sleeper.id)
    until(lambda: not sandbox.commands.get_command_status(sleeper.id).running)


def files(sandbox):
    f = sandbox.files
    f.create_directories([WriteEntry(path="/tmp/d/sub", mode=755)])
    f.write_files([
        WriteEntry(path="/tmp/d/a.txt", data="first\nsecond\nthird\n", mode=640),
        WriteEntry(path="/tmp/d/sub/ä ö.bin", data=bytes(range(256)) * 1024, mode=600),
    ])
    assert f.read_file("/tmp/d/a.txt") == "first\nsecond\nthird\n"
    assert f.read_file("/tmp/d/a.txt", offset=2, limit=1) == "second"
    assert f.read_bytes("/tmp/d/a.txt", range_header="bytes=6-11") == b"second"
    assert f.read_bytes("/tmp/d/a.txt", range_header="bytes=-6") == b"third\n"
    streamed = b"".join(f.read_bytes_stream("/tmp/d/sub/ä ö.bin", chunk_size=4096))
    assert streamed == bytes(range(256)) * 1024, len(streamed)

    found = f.search(SearchEntry(path="/tmp/d", pattern="*.bin"))
    assert [e.path for e in found] == ["/tmp/d/sub/ä ö.bin"], found
    listed = f.list_directory(DirectoryListEntry(path="/tmp/d"))
    assert sorted(e.path for e in listed) == ["/tmp/d/a.txt", "/tmp/d/sub"], listed

    f.set_permissions([SetPermissionEntry(path="/tmp/d/a.txt", mode=604)])
    info = f.get_file_info(["/tmp/d/a.txt"])["/tmp/d/a.txt"]
    assert info.mode == 604 and info.size == 19 and info.owner == "root", info
    f.move_files([MoveEntry(src="/tmp/d/a.txt", dest="/tmp/d/sub/b.txt")])
    replaced = f.replace_contents_detailed(
        [ContentReplaceEntry(path="/tmp/d/sub/b.txt", old_content="second", new_content="2nd")]
    )
    assert [r.replaced_count for r in replaced] == [1], replaced
    assert f.read_file("/tmp/d/sub/b.txt") == "first\n2nd\nthird\n"
    f.delete_files(["/tmp/d/sub/b.txt"])
    f.delete_directories(["/tmp/d"])
    assert sandbox.commands.run("ls /tmp/d").exit_code != 0
    try:
        f.read_file("/tmp/d/a.txt")
        raise AssertionError("a deleted file was read")
    except SandboxApiException as e:
        assert e.status_code == 404, e


def endpoints(sandbox):
    sandbox.commands.run("mkdir -p /tmp/www && echo 'hello from inside' > /tmp/www/index.html")
    sandbox.commands.run("httpd -f -p 8080 -h /tmp/www", opts=RunCommandOpts(background=True))
    endpoint = sandbox.get_endpoint(8080)

    def page():
        answer = httpx.get("http://" + endpoint.endpoint + "/index.html", headers=endpoint.headers)
        return answer.status_code == 200 and answer.text
    assert until(page) == "hello from inside\n"


def reports(sandbox, manager):
    logs = sandbox.get_diagnostic_logs("container")
    assert logs.delivery == "inline" and "hello from the entrypoint" in logs.content, logs
    assert not logs.truncated and logs.content_length == len(logs.content.encode()), logs
    events = sandbox.get_diagnostic_events("lifecycle")
    assert "Created" in events.content and not events.warnings, events
    assert "Container:" in sandbox.get_diagnostic_events("runtime").content
    for scope in "network", "nonsense":
        try:
            manager.get_diagnostic_logs(sandbox.id, scope)
            raise AssertionError("an unknown scope was answered")
        except SandboxApiException as e:
            assert e.status_code == 400 and e.error.code == "DIAGNOSTICS_SCOPE_UNSUPPORTED", e


def lifecycle(sandbox, manager):
    before = sandbox.get_info()
    assert before.status.state == "Running" and before.metadata == {"client": "python", "form": mode}, before
    sandbox.renew(timedelta(minutes=30))
    assert sandbox.get_info().expires_at - before.expires_at > timedelta(minutes=20)
    assert sandbox.patch_metadata({"stage": "two", "form": None}).metadata == {"client": "python", "stage": "two"}
    sandbox.patch_metadata({"stage": None, "form": mode})

    def listed(**filters):
        page = manager.list_sandbox_infos(SandboxFilter(**filters))
        return [s.id for s in page.sandbox_infos]
    assert listed() == [sandbox.id]
    assert listed(states=["Running", "Paused"], metadata={"client": "python", "form": mode}) == [sandbox.id]
    assert listed(states=["Paused"]) == [] == listed(metadata={"client": "other"})
    assert listed(page=2, page_size=1) == []

    metrics = sandbox.get_metrics()
    assert metrics.cpu_count > 0 and 0 <= metrics.memory_used_in_mib <= metrics.memory_total_in_mib, metrics

    sandbox.pause()
    assert manager.get_sandbox_info(sandbox.id).status.state == "Paused"
    assert listed(states=["paused"]) == [sandbox.id]
    resumed = SandboxSync.resume(sandbox.id, connection_config=config)
    assert resumed.commands.run("echo back").logs.stdout[0].text == "back"
    connected = SandboxSync.connect(sandbox.id, connection_config=config)
    assert connected.is_healthy()


def refusals(manager):
    for unknown in "160808dc-2c0c-48c3-875a-06ab3e948cdb", "no-such-sandbox":
        try:
            manager.get_sandbox_info(unknown)
            raise AssertionError("an unknown sandbox was found")
        except SandboxApiException as e:
            assert e.status_code == 404 and e.error.code == "DOCKER::SANDBOX_NOT_FOUND" and e.request_id, e
    try:
        SandboxSync.create(image, metadata={"opensandbox.io/id": "x"}, connection_config=config)
        raise AssertionError("a reserved label was accepted")
    except SandboxApiException as e:
        assert e.status_code == 400 and e.error.code == "SANDBOX::INVALID_METADATA_LABEL", e


with SandboxManagerSync.create(config) as manager:
    sandbox = SandboxSync.create(
        image,
        entrypoint=["sh", "-c", "echo hello from the entrypoint; exec sleep 600"],
        timeout=timedelta(minutes=5),
        metadata={"client": "python", "form": mode},
        connection_config=config,
    )
    try:
        commands(sandbox)
        files(sandbox)
        endpoints(sandbox)
        reports(sandbox, manager)
        lifecycle(sandbox, manager)
        refusals(manager)
    finally:
        sandbox.kill()
        sandbox.close()
print("ok")
