"""A cloud on this machine, without a way out: run in a network namespace of its own, with nothing but loopback.

It answers as Amazon's does: moto for its interfaces, and the address at which a machine asks what it is. In it,
`ray up` brings up a cluster file until the head is set up by ssh, which no machine answers; then the head's
autoscaler asks for workers. What was asked for goes to a file, as JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import yaml

PORT = 5000
REGION = "eu-central-1"
IMAGE = "ami-0123456789abcdef0"
METADATA = "169.254.169.254"


class Metadata(BaseHTTPRequestHandler):
    """What a machine is told of itself, for a token that it has asked for before."""

    def do_PUT(self) -> None:
        self._answer("TOKEN" if int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) else "")

    def do_GET(self) -> None:
        known = {"/latest/meta-data/placement/region": REGION, "/latest/meta-data/ami-id": IMAGE}
        self._answer(known[self.path] if self.headers["X-aws-ec2-metadata-token"] == "TOKEN" else "no token")

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def cloud(folder: Path) -> Iterator[None]:
    """All that answers."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"], check=True)
    threading.Thread(target=HTTPServer((METADATA, 80), Metadata).serve_forever, daemon=True).start()
    with (folder / "moto.log").open("wb") as log:
        command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(PORT)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: boto3.client("ec2").describe_vpcs()["Vpcs"])
        yield
    finally:
        server.kill()


def wait_for(found: Any, *, seconds: float = 90) -> Any:
    """What is found, once it is."""
    ends, last = time.monotonic() + seconds, None
    while time.monotonic() < ends:
        try:
            if result := found():
                return result
        except Exception as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"nothing after {seconds:.0f} s: {last}")


def instances() -> list[dict[str, Any]]:
    """All machines that were asked for."""
    reservations = boto3.client("ec2").describe_instances()["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def bring_up(file: Path, folder: Path) -> None:
    """`ray up` until it waits for the head's ssh; what it would bring to the head is put where the head has it."""
    with (folder / "up.log").open("wb") as log:
        command = [Path(sys.executable).with_name("ray"), "up", "-y", str(file)]
        up = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: "Waiting for SSH" in (folder / "up.log").read_text() or up.poll())
        (config,), (key,) = folder.glob("ray-bootstrap-*"), Path.home().glob(".ssh/*.pem")
        (Path.home() / "ray_bootstrap_config.yaml").write_text(config.read_text())
        (Path.home() / "ray_bootstrap_key.pem").write_text(key.read_text())
    finally:
        up.kill()
        up.wait()


def prepare_head(config: dict[str, Any]) -> None:
    """The commands of the file that ask the cloud, and those that change what the autoscaler reads; word by word."""
    (ask,) = [command for command in config["setup_commands"] if METADATA in command]
    (change,) = [command for command in config["head_start_ray_commands"] if command.startswith("sed")]
    for command in (ask, ask, change):  # `ray up` again gives them again
        subprocess.run(["bash", "-c", f"touch ~/.bashrc; . ~/.bashrc; ({command})"], check=True)


def ask_for_workers(number: int) -> None:
    """As version 2 of Ray's autoscaler does on the head."""
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler.v2.instance_manager.config import FileConfigReader
    from ray.autoscaler.v2.instance_manager.node_provider import NodeProviderAdapter

    reader = FileConfigReader(str(Path.home() / "ray_bootstrap_config.yaml"), skip_content_hash=True)
    config = reader.get_cached_autoscaling_config()
    provider = _get_node_provider(config.get_provider_config(), config.get_config("cluster_name"))
    adapter = NodeProviderAdapter(v1_provider=provider, config_reader=reader)
    adapter.launch({"worker": number}, request_id="1")
    wait_for(lambda: _raise(adapter.poll_errors()) or len(adapter.get_non_terminated()) == 1 + number, seconds=30)


def _raise(errors: list[Exception]) -> None:
    for error in errors:
        raise SystemExit(f"workers cannot be had: {error.__cause__!r}")


def asked() -> dict[str, Any]:
    """What there is now."""
    ec2, iam = boto3.client("ec2"), boto3.client("iam")
    groups = {group["GroupId"]: group for group in ec2.describe_security_groups()["SecurityGroups"]}
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    return {
        "instances": instances(),
        "volumes": ec2.describe_volumes()["Volumes"],
        "groups": groups,
        "keys": [key["KeyName"] for key in ec2.describe_key_pairs()["KeyPairs"]],
        "rights": {role: rights(iam, role) for role in roles},
        "bashrc": (Path.home() / ".bashrc").read_text(),
        "key_modes": {path.name: path.stat().st_mode & 0o777 for path in (Path.home() / ".ssh").glob("*.pem")},
        "bootstrap": json.loads((Path.home() / "ray_bootstrap_config.yaml").read_text()),
    }


def rights(iam: Any, role: str) -> dict[str, Any]:
    """What a role may do: the names of Amazon's own policies, and statements."""
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    own = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return {"attached": [policy["PolicyName"] for policy in attached], "own": [p["Statement"][0] for p in own]}


def main(file: Path, folder: Path, bucket: str) -> None:
    """Everything, from an empty cloud on; with a bucket, its rights come first."""
    with cloud(folder):
        if bucket:
            script = Path(__file__).parent.parent.parent / "docs" / "recipes" / "aws_rights.py"
            for _ in range(2):  # a second call finds all there
                subprocess.run([sys.executable, script, bucket, REGION], check=True)
        bring_up(file, folder)
        prepare_head(yaml.safe_load(file.read_text()))
        ask_for_workers(1)  # moto starts the fewest that will do
        text = json.dumps(asked(), default=str)
        (folder / "asked.json").write_text(re.sub(r"\s+", " ", text))


if __name__ == "__main__":
    os.environ["TMPDIR"] = sys.argv[2]
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
