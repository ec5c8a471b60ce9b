"""The published Python client and volumes that outlive, or go with, their sandboxes.

Arguments: domain, API key, image, a volume's name, a directory of the host that may be
mounted, one that may not. Any failure is an exception.
"""

import sys
from datetime import timedelta

from opensandbox import SandboxSync
from opensandbox.config import ConnectionConfigSync
from opensandbox.exceptions import SandboxApiException
from opensandbox.models.sandboxes import PVC, Host, Volume

domain, key, image, claim, allowed, forbidden = sys.argv[1:]
config = ConnectionConfigSync(domain=domain, api_key=key, disable_metrics=True)


def sandbox(*volumes):
    return SandboxSync.create(image, entrypoint=["sleep", "600"], timeout=timedelta(minutes=5),
                              volumes=list(volumes), connection_config=config)


def says(sandbox, command):
    run = sandbox.commands.run(command)
    assert run.exit_code == 0, run
    return "\n".join(o.text for o in run.logs.stdout)


def removed(sandbox):
    sandbox.kill()
    sandbox.close()


# A named volume is made by the first who asks, kept, and read-only for who wishes so.
kept = PVC(claim_name=claim)
first = sandbox(Volume(name="data", pvc=kept, mount_path="/data"))
try:
    first.files.write_file("/data/sub/note.txt", "kept")
finally:
    removed(first)
second = sandbox(
    Volume(name="data", pvc=kept, mount_path="/data", read_only=True),
    Volume(name="part", pvc=kept, mount_path="/part", sub_path="sub"),
    Volume(name="gone", pvc=PVC(claim_name=claim + "-gone", delete_on_sandbox_termination=True), mount_path="/gone"),
    Volume(name="work", host=Host(path=allowed), mount_path="/mnt/shared"),
)
try:
    assert says(second, "cat /data/sub/note.txt; cat /part/note.txt") == "keptkept"
    assert second.commands.run("echo no > /data/other").exit_code != 0
    says(second, "echo from inside > /mnt/shared/out.txt; echo x > /gone/x")
finally:
    removed(second)

for volume, code in (
    (Volume(name="work", host=Host(path=forbidden), mount_path="/mnt/shared"), "VOLUME::HOST_PATH_NOT_ALLOWED"),
    (Volume(name="work", host=Host(path=allowed + "/../x"), mount_path="/mnt/shared"), "VOLUME::INVALID_HOST_PATH"),
    (Volume(name="absent", pvc=PVC(claim_name=claim + "-absent", create_if_not_exists=False), mount_path="/a"), "VOLUME::PVC_NOT_FOUND"),
):
    try:
        removed(sandbox(volume))
        raise AssertionError(f"{volume} was mounted")
    except SandboxApiException as e:
        assert e.status_code == 400 and e.error.code == code, e
print("ok")
