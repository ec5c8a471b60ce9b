"""The published Python client and snapshots: taken, listed, restored, deleted.

Arguments: domain, API key, image. Any failure is an exception.
"""

import sys
import time
from datetime import timedelta

from opensandbox import SandboxSync
from opensandbox.config import ConnectionConfigSync
from opensandbox.exceptions import SandboxApiException
from opensandbox.models.sandboxes import SnapshotFilter
from opensandbox.sync.manager import SandboxManagerSync

domain, key, image = sys.argv[1:]
config = ConnectionConfigSync(domain=domain, api_key=key, disable_metrics=True)


def taken(manager, snapshot):
    """Waits until the snapshot is not being made any more, at most a minute."""
    deadline = time.monotonic() + 60
    while (now := manager.get_snapshot(snapshot.id)).status.state == "Creating":
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    return now


def refused(status, code, call):
    try:
        call()
    except SandboxApiException as e:
        assert e.status_code == status and e.error.code == code, e
    else:
        raise AssertionError(f"{code} was expected")


with SandboxManagerSync.create(config) as manager:
    source = SandboxSync.create(image, entrypoint=["sleep", "600"], timeout=timedelta(minutes=5),
                                metadata={"client": "python"}, env={"SECRET": "of the source"}, connection_config=config)
    try:
        source.files.write_file("/root/kept.txt", "kept")
        snapshot = source.create_snapshot("first")
        assert snapshot.sandbox_id == source.id and snapshot.name == "first", snapshot
        ready = taken(manager, snapshot)
        assert ready.status.state == "Ready" and ready.id == snapshot.id, ready
    finally:
        source.kill()
        source.close()

    # It outlives its sandbox.
    def listed(**filters):
        return [s.id for s in manager.list_snapshots(SnapshotFilter(**filters)).snapshot_infos]
    assert listed() == [snapshot.id] == listed(sandbox_id=source.id, states=["Ready"])
    assert listed(states=["Failed"]) == [] == listed(sandbox_id="160808dc-2c0c-48c3-875a-06ab3e948cdb")
    assert listed(name="first") == [snapshot.id] and listed(name="fir") == []
    assert listed(page=2, page_size=1) == []

    restored = SandboxSync.create(snapshot_id=snapshot.id, entrypoint=["sleep", "600"],
                                  timeout=timedelta(minutes=5), connection_config=config)
    try:
        assert restored.files.read_file("/root/kept.txt") == "kept"
        info = restored.get_info()
        assert info.snapshot_id == snapshot.id and not info.metadata, info
        run = restored.commands.run("env")
        assert "of the source" not in "\n".join(o.text for o in run.logs.stdout), run
        refused(409, "SNAPSHOT::DELETE_CONFLICT", lambda: manager.delete_snapshot(snapshot.id))
    finally:
        restored.kill()
        restored.close()

    manager.delete_snapshot(snapshot.id)
    assert listed() == []
    refused(404, "SNAPSHOT::NOT_FOUND", lambda: manager.get_snapshot(snapshot.id))
    try:
        SandboxSync.create(snapshot_id=snapshot.id, connection_config=config)
        raise AssertionError("a deleted snapshot was restored")
    except SandboxApiException as e:
        # The client reads no code from a status that creates are not documented to have.
        assert e.status_code == 404 and "SNAPSHOT::NOT_FOUND" in str(e), e
print("ok")
