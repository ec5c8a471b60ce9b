"""What the published Python client sends into a sandbox, whatever answers there.

Arguments: domain, API key, a sandbox's id, "proxy" or "direct". Answers do not matter.
"""

import sys
from contextlib import suppress

from opensandbox import SandboxSync
from opensandbox.config import ConnectionConfigSync
from opensandbox.models.filesystem import SearchEntry

domain, key, sandbox_id, mode = sys.argv[1:]
config = ConnectionConfigSync(
    domain=domain, api_key=key, use_server_proxy=mode == "proxy", disable_metrics=True
)
sandbox = SandboxSync.connect(sandbox_id, connection_config=config, skip_health_check=True)
for call in (
    lambda: sandbox.commands.run("true"),
    lambda: sandbox.files.write_file("/tmp/x", "x"),
    lambda: sandbox.files.read_file("/tmp/x"),
    lambda: sandbox.files.search(SearchEntry(path="/tmp", pattern="*")),
    sandbox.get_metrics,
    sandbox.is_healthy,
):
    with suppress(Exception):
        call()
sandbox.close()
