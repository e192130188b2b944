"""Makes the bucket for results, and the rights on it that cluster.yaml gives its machines. Once for each bucket.

python docs/recipes/aws_rights.py BUCKET [REGION]

Needs credentials that may make roles. It makes what is missing and changes nothing else:

studies-worker   may use the bucket
studies-head     may use the bucket, start and end machines, and give them the role studies-worker
"""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from typing import Any

import boto3

EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
STARTS_MACHINES = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"


def main(bucket: str, region: str) -> None:
    """Makes bucket and roles."""
    make_bucket(boto3.client("s3", region_name=region), bucket, region)
    iam = boto3.client("iam", region_name=region)
    use_bucket = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    worker = make_role(iam, "studies-worker")
    allow(iam, "studies-worker", bucket, use_bucket)
    make_role(iam, "studies-head")
    allow(iam, "studies-head", bucket, use_bucket)
    allow(iam, "studies-head", "workers", {"Effect": "Allow", "Action": "iam:PassRole", "Resource": worker})
    iam.attach_role_policy(RoleName="studies-head", PolicyArn=STARTS_MACHINES)


def make_bucket(s3: Any, bucket: str, region: str) -> None:
    """Makes the bucket, closed to the public; one of your own that is there stays as it is."""
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **place)
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))


def make_role(iam: Any, name: str) -> str:
    """Makes a role that machines can have; returns its address (ARN)."""
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(EC2))
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return iam.get_role(RoleName=name)["Role"]["Arn"]


def allow(iam: Any, role: str, name: str, statement: dict[str, Any]) -> None:
    """Gives a role a right, under a name."""
    iam.put_role_policy(RoleName=role, PolicyName=f"studies-{name}", PolicyDocument=policy(statement))


def policy(statement: dict[str, Any]) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bucket")
    parser.add_argument("region", nargs="?", default="us-west-2")
    options = parser.parse_args()
    main(options.bucket, options.region)
