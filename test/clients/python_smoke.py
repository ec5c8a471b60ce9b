"""The published Python client against a running server: what a first script does.

Arguments: domain, API key, image, "proxy" or "direct", "secure" or "open". Any failure is an exception.
"""

import sys
from datetime import timedelta

from opensandbox import SandboxSync
from opensandbox.config import ConnectionConfigSync

domain, key, image, mode, access = sys.argv[1:]
config = ConnectionConfigSync(
    domain=domain, api_key=key, use_server_proxy=mode == "proxy", disable_metrics=True
)
sandbox = SandboxSync.create(
    image,
    entrypoint=["sleep", "600"],
    timeout=timedelta(minutes=2),
    metadata={"client": "python"},
    env={"GREETING": "hello"},
    secure_access=access == "secure",
    connection_config=config,
)
try:
    run = sandbox.commands.run("echo $GREETING; echo oops >&2; exit 3")
    assert [o.text for o in run.logs.stdout] == ["hello"], run
    assert [o.text for o in run.logs.stderr] == ["oops"], run
    assert run.exit_code == 3, run

    sandbox.files.write_file("/tmp/client.txt", "first\nsecond\nthird\n", mode=640)
    assert sandbox.files.read_file("/tmp/client.txt") == "first\nsecond\nthird\n"
    assert sandbox.files.read_file("/tmp/client.txt", offset=2, limit=1) == "second"
    assert sandbox.files.read_bytes("/tmp/client.txt", range_header="bytes=0-4") == b"first"
    info = sandbox.files.get_file_info(["/tmp/client.txt"])["/tmp/client.txt"]
    assert info.mode == 640 and info.size == 19, info

    before = sandbox.get_info()
    assert before.status.state == "Running" and before.metadata == {"client": "python"}, before
    sandbox.renew(timedelta(minutes=30))
    assert sandbox.get_info().expires_at - before.expires_at > timedelta(minutes=20)

    metrics = sandbox.get_metrics()
    assert metrics.cpu_count > 0 and 0 <= metrics.memory_used_in_mib <= metrics.memory_total_in_mib, metrics

    sandbox.pause()
    sandbox = SandboxSync.resume(sandbox.id, connection_config=config)
    assert sandbox.commands.run("echo back").logs.stdout[0].text == "back"
finally:
    sandbox.kill()
    sandbox.close()
print("ok")
