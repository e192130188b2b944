"""`ray up cluster.yaml`, and its workers, asked of a cloud that is made of moto on loopback and has no way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cloud import IMAGE, PORT, REGION
from hosts import require

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parent.parent.parent
LATEST = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
EDITS = {
    "as it stands": {},
    "edited": {
        "region: us-west-2": f"region: {REGION}",
        "max_workers: &most 8": "max_workers: &most 3",
        "InstanceType: g5.2xlarge": "InstanceType: g6.xlarge",
        "# IamInstanceProfile": "IamInstanceProfile",
    },
}


def ask(folder: Path, case: str) -> dict[str, Any]:
    """What is asked of the cloud for the project's file with its places filled in."""
    require()
    text = (ROOT / "cluster.yaml").read_text()
    for old, new in EDITS[case].items():
        assert old in text
        text = text.replace(old, new)
    (folder / "home" / ".ssh").mkdir(parents=True)
    (folder / "cluster.yaml").write_text(text.replace("~/studies: .\n", f"~/studies: {ROOT}\n"))
    region = REGION if case == "edited" else "us-west-2"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": region,
    }  # fmt: skip
    alone = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
    cloud = [sys.executable, Path(__file__).with_name("cloud.py"), folder / "cluster.yaml", folder]
    command = [*alone, *map(str, cloud), "my-results" if case == "edited" else ""]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    log = folder / "up.log"
    assert done.returncode == 0, f"{done.stderr}\n{log.read_text() if log.exists() else ''}"
    return json.loads((folder / "asked.json").read_text())


@pytest.fixture(scope="module", params=list(EDITS))
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was asked for; the case is in it."""
    return {"case": request.param, **ask(tmp_path_factory.mktemp("cloud"), request.param)}


def of_kind(asked: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [i for i in asked["instances"] if {"Key": "ray-node-type", "Value": kind} in i["Tags"]]


def test_the_head_is_a_plain_machine_that_stays(asked: dict[str, Any]) -> None:
    (head,) = of_kind(asked, "head")
    assert head["InstanceType"] == "m6i.xlarge"
    assert head["ImageId"] == LATEST
    assert head.get("InstanceLifecycle") != "spot"
    assert {"Key": "ray-cluster-name", "Value": "studies"} in head["Tags"]
    types = asked["bootstrap"]["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0, "nothing is trained on it"


def test_workers_are_spot_machines_with_a_gpu_and_the_image_of_the_head(asked: dict[str, Any]) -> None:
    workers = of_kind(asked, "worker")
    assert workers
    for worker in workers:
        assert worker["InstanceType"] == ("g6.xlarge" if asked["case"] == "edited" else "g5.2xlarge")
        assert worker["InstanceLifecycle"] == "spot"
        assert worker["ImageId"] == IMAGE
    types = asked["bootstrap"]["available_node_types"]
    assert types["worker"]["resources"]["GPU"] == 1


def test_workers_come_from_none_to_the_number_that_was_given(asked: dict[str, Any]) -> None:
    number = 3 if asked["case"] == "edited" else 8
    worker = asked["bootstrap"]["available_node_types"]["worker"]
    assert (worker["min_workers"], worker["max_workers"], asked["bootstrap"]["max_workers"]) == (0, number, number)
    assert asked["bootstrap"]["idle_timeout_minutes"] == 10


def test_all_machines_have_one_key_and_one_closed_group(asked: dict[str, Any]) -> None:
    (key,) = {instance["KeyName"] for instance in asked["instances"]}
    assert [key] == asked["keys"]
    assert asked["key_modes"] == {f"{key}.pem": 0o600}
    (group,) = {group["GroupId"] for instance in asked["instances"] for group in instance["SecurityGroups"]}
    open_to_all = [rule for rule in asked["groups"][group]["IpPermissions"] if rule["IpRanges"]]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in open_to_all] == [(22, 22)], "ssh alone, with the key"


def test_disks_are_gp3_and_go_with_their_machine(asked: dict[str, Any]) -> None:
    assert len(asked["volumes"]) == len(asked["instances"]) == 2
    for volume in asked["volumes"]:
        assert (volume["Size"], volume["VolumeType"]) == (120, "gp3")
    assert asked["bootstrap"]["provider"]["cache_stopped_nodes"] is False


def test_machines_learn_the_region_once(asked: dict[str, Any]) -> None:
    assert asked["bashrc"].splitlines() == [f"export AWS_REGION={REGION} IMAGE_ID={IMAGE}"]


def role_of(instance: dict[str, Any]) -> str:
    return instance.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]


def test_rights_reach_as_far_as_the_bucket(asked: dict[str, Any]) -> None:
    names = {kind: {role_of(instance) for instance in of_kind(asked, kind)} for kind in ("head", "worker")}
    if asked["case"] == "as it stands":
        assert names == {"head": {"ray-autoscaler-v1"}, "worker": {""}}
        return
    assert names == {"head": {"studies-head"}, "worker": {"studies-worker"}}
    worker, head = asked["rights"]["studies-worker"], asked["rights"]["studies-head"]
    assert worker["attached"] == []
    assert [s["Resource"] for s in worker["own"]] == [["arn:aws:s3:::my-results", "arn:aws:s3:::my-results/*"]]
    assert head["attached"] == ["AmazonEC2FullAccess"], "it starts and ends workers"
    passes = [s["Resource"] for s in head["own"] if s["Action"] == "iam:PassRole"]
    assert [resource.rpartition("/")[2] for resource in passes] == ["studies-worker"]
