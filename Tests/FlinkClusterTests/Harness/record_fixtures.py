#!/usr/bin/env python3
"""Records what real Flink clusters answer, for the unit tests of FlinkREST and FlinkFormats.

  record_fixtures.py VERSION REST_FOLDER FORMATS_FOLDER

Writes REST_FOLDER/<name>.json, one answer each as it came, and REST_FOLDER/requests.json: for each name the method, the path, the body that was
sent and the status. In FORMATS_FOLDER go whole checkpoints and savepoints as Flink left them, and samples.json, which says what they are.
The cluster has its files in /tmp/flink, which must not exist, so that no answer names a place of the machine it was recorded on.
"""
import json
import os
import re
import shutil
import socket
import sys
import time
import uuid

import flink_cluster

ROOT = "/tmp/flink"
NO_ID = "0123456789abcdef0123456789abcdef"


class Recorder:
    def __init__(self, cluster, folder):
        self.cluster, self.folder, self.requests = cluster, folder, {}
        self.jar = None

    # Asking

    def ask(self, method, path, body=None):
        """Status and bytes, whatever the status is. `body`: what becomes JSON, or the text to send."""
        return self.cluster.ask(method, path, b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode())

    def get(self, path):
        status, data = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {data[:300]}")
        return json.loads(data)

    def record(self, name, method, path, body=None):
        return self.keep(name, method, path, body, *self.ask(method, path, body))

    def keep(self, name, method, path, body, status, data):
        text = data.decode("utf-8", errors="replace")
        for place, stand_in in ((flink_cluster.cache(), "/opt/weir"), (os.path.expanduser("~"), "/home/flink"), (socket.gethostname(), "flink-host")):
            text = text.replace(place, stand_in)
        # A Java object in base64, tens of kilobytes of it.
        text = re.sub(r'("serialized-throwable":"[^"]{64})[^"]*"', r'\1"', text)
        with open(os.path.join(self.folder, name + ".json"), "w") as file:
            file.write(text)
        entry = {"method": method, "path": path, "status": status}
        if body is not None:
            entry["body"] = body
        self.requests[name] = entry
        try:
            return json.loads(data)
        except ValueError:
            return None

    def wait(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {seconds} s in vain for {what} on Flink {self.cluster.version}")
            time.sleep(0.05)

    # Jobs

    def upload(self, name, filename, content):
        return self.keep(name, "POST", "/jars/upload", f"<{filename}>", *self.cluster.upload(filename, content))

    def run(self, *arguments, path=None, name=None, **fields):
        body = {"programArgsList": list(arguments), **fields}
        if path:
            body["savepointPath"] = path
        if name:
            return self.record(name, "POST", f"/jars/{self.jar}/run", body)
        status, data = self.ask("POST", f"/jars/{self.jar}/run", body)
        if status != 200:
            raise RuntimeError(f"cannot run: {status} {data.decode()[:2000]}")
        return json.loads(data)["jobid"]

    def state(self, job):
        return self.get(f"/jobs/{job}")["state"]

    def wait_state(self, job, state):
        self.wait(f"job {job} to be {state}", lambda: self.state(job) == state)

    def checkpoints(self, job):
        return self.get(f"/jobs/{job}/checkpoints")

    def wait_completed(self, job, count):
        return self.wait(f"{count} completed checkpoints", lambda: (lambda c: c if c["counts"]["completed"] >= count else None)(self.checkpoints(job)))

    def wait_failed(self, job, count):
        return self.wait(f"{count} failed checkpoints", lambda: (lambda c: c if c["counts"]["failed"] >= count else None)(self.checkpoints(job)))

    def cancel(self, job):
        self.ask("PATCH", f"/jobs/{job}?mode=cancel")
        self.wait_state(job, "CANCELED")

    def switches(self, name):
        folder = os.path.join(ROOT, "switches", name)
        os.makedirs(folder, exist_ok=True)
        return folder

    def switch(self, folder, name, value=""):
        with open(os.path.join(folder, name + ".new"), "w") as file:
            file.write(value)
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))

    def off(self, folder, name):
        os.remove(os.path.join(folder, name))

    def finish(self):
        with open(os.path.join(self.folder, "requests.json"), "w") as file:
            json.dump(self.requests, file, indent=1, sort_keys=True)
            file.write("\n")


def poll(recorder, name, path, seconds=60):
    """Polls an asynchronous operation; records the first answer as NAME-in-progress if it is one, and the last as NAME."""
    first = recorder.get(path)
    if first["status"]["id"] == "IN_PROGRESS":
        recorder.record(name + "-in-progress", "GET", path)
    recorder.wait(name, lambda: recorder.get(path)["status"]["id"] == "COMPLETED", seconds)
    return recorder.record(name, "GET", path)


def cluster_answers(r):
    r.record("config", "GET", "/config")
    r.record("overview-empty", "GET", "/overview")
    r.record("jobs-empty", "GET", "/jobs")
    r.record("jobs-overview-empty", "GET", "/jobs/overview")
    r.record("jars-empty", "GET", "/jars")
    r.record("jobmanager-config", "GET", "/jobmanager/config")
    r.record("jobmanager-metrics", "GET", "/jobmanager/metrics")
    r.record("jobmanager-metrics-values", "GET", "/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used,Status.JVM.Memory.Heap.Max,taskSlotsTotal,numRunningJobs,absent")
    r.record("jobmanager-logs", "GET", "/jobmanager/logs")
    taskmanagers = r.record("taskmanagers", "GET", "/taskmanagers")
    manager = taskmanagers["taskmanagers"][0]["id"]
    r.record("taskmanager", "GET", f"/taskmanagers/{manager}")
    r.record("taskmanager-metrics", "GET", f"/taskmanagers/{manager}/metrics?get=Status.JVM.Memory.Heap.Used,Status.Flink.Memory.Managed.Used")


def jar_answers(r, content):
    r.upload("jar-upload-refused", "job.txt", b"no jar")
    r.upload("jar-upload-garbage", "garbage.jar", b"this is no zip file")
    garbage = r.get("/jars")["files"][0]["id"]
    r.record("jar-run-garbage", "POST", f"/jars/{garbage}/run", {})
    r.record("jar-delete", "DELETE", f"/jars/{garbage}")
    r.record("jar-delete-missing", "DELETE", f"/jars/{garbage}")
    r.record("jar-run-missing", "POST", f"/jars/{garbage}/run", {})
    answer = r.upload("jar-upload", "count.jar", content)
    r.jar = answer["filename"].rsplit("/", 1)[1]
    r.record("jars", "GET", "/jars")
    r.record("jar-plan", "POST", f"/jars/{r.jar}/plan", {"programArgsList": ["--parallelism", "2"]})
    r.record("jar-run-wrong-class", "POST", f"/jars/{r.jar}/run", {"entryClass": "com.example.Absent"})
    r.run("--throw", "true", name="jar-run-throws")
    r.record("jar-run-unknown-field", "POST", f"/jars/{r.jar}/run", {"anUnknownField": 1})
    r.run("--dir", f"file://{ROOT}/checkpoints", path=f"file://{ROOT}/checkpoints/absent/chk-1", name="jar-run-absent-path")


def errors(r):
    r.record("error-unknown-job", "GET", f"/jobs/{NO_ID}")
    r.record("error-bad-job-id", "GET", "/jobs/nonsense")
    r.record("error-unknown-job-checkpoints", "GET", f"/jobs/{NO_ID}/checkpoints")
    r.record("error-unknown-url", "GET", "/nowhere/at/all")
    r.record("error-cancel-unknown-job", "PATCH", f"/jobs/{NO_ID}?mode=cancel")
    r.record("error-savepoint-unknown-job", "POST", f"/jobs/{NO_ID}/savepoints", {})
    r.record("error-stop-unknown-job", "POST", f"/jobs/{NO_ID}/stop", {})
    r.record("error-checkpoint-unknown-job", "POST", f"/jobs/{NO_ID}/checkpoints", {})
    r.record("error-savepoint-bad-body", "POST", f"/jobs/{NO_ID}/savepoints", "{ no json")
    r.record("error-disposal-unknown-trigger", "GET", f"/savepoint-disposal/{NO_ID}")


def running(r):
    """A healthy job with everything that can be asked of it; a savepoint, a checkpoint on request; canceled and started again."""
    switches = r.switches("running")
    arguments = ("--name", "orders", "--parallelism", "2", "--dir", f"file://{ROOT}/checkpoints", "--switches", switches, "--interval", "1500")
    job = r.run(*arguments, name="jar-run")["jobid"]
    vertices = r.wait("a running job", lambda: (lambda j: j["vertices"] if j["state"] == "RUNNING" and j["status-counts"]["RUNNING"] == len(j["vertices"]) else None)(r.get(f"/jobs/{job}")))
    counting = vertices[-1]["id"]
    r.record("vertex-backpressure-first", "GET", f"/jobs/{job}/vertices/{counting}/backpressure")
    checkpoints = r.wait_completed(job, 2)
    r.record("overview", "GET", "/overview")
    r.record("jobs", "GET", "/jobs")
    r.record("jobs-overview", "GET", "/jobs/overview")
    r.record("job-running", "GET", f"/jobs/{job}")
    r.record("job-status", "GET", f"/jobs/{job}/status")
    r.record("job-plan", "GET", f"/jobs/{job}/plan")
    r.record("job-config", "GET", f"/jobs/{job}/config")
    r.record("job-exceptions-none", "GET", f"/jobs/{job}/exceptions?maxExceptions=20")
    r.record("job-accumulators", "GET", f"/jobs/{job}/accumulators")
    r.record("job-metric-names", "GET", f"/jobs/{job}/metrics")
    names = ("numRestarts,fullRestarts,uptime,downtime,restartingTime,runningTime,lastCheckpointSize,lastCheckpointDuration,lastCheckpointFullSize,"
             "lastCheckpointExternalPath,lastCheckpointRestoreTimestamp,lastCompletedCheckpointId,totalNumberOfCheckpoints,numberOfFailedCheckpoints")
    r.record("job-metrics", "GET", f"/jobs/{job}/metrics?get={names}")
    r.record("jobs-metrics", "GET", f"/jobs/metrics?get=numRestarts,uptime,lastCheckpointDuration&jobs={job}")
    r.record("job-resource-requirements", "GET", f"/jobs/{job}/resource-requirements")
    rates = ("numRecordsInPerSecond,numRecordsOutPerSecond,numBytesInPerSecond,numBytesOutPerSecond,numRecordsIn,numRecordsOut,busyTimeMsPerSecond,"
             "backPressuredTimeMsPerSecond,idleTimeMsPerSecond,currentInputWatermark,checkpointStartDelayNanos,checkpointAlignmentTime")
    for name, vertex in (("source", vertices[0]["id"]), ("count", counting)):
        r.wait(f"metrics of {name}", lambda: any(metric["id"] == "0.numRecordsOut" for metric in r.get(f"/jobs/{job}/vertices/{vertex}/metrics")))
        r.record(f"vertex-{name}", "GET", f"/jobs/{job}/vertices/{vertex}")
        # Flink answers nothing at all, for all names, when one of them is not a metric of the vertex.
        there = {metric["id"] for metric in r.get(f"/jobs/{job}/vertices/{vertex}/metrics")}
        known = ",".join(metric for metric in rates.split(",") if "0." + metric in there)
        rate = "numRecordsOutPerSecond" if name == "source" else "numRecordsInPerSecond"
        # The meters are computed every five seconds.
        r.wait("a rate", lambda: any(metric["sum"] > 0 for metric in r.get(f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={rate}")))
        r.record(f"vertex-{name}-subtasks-metrics", "GET", f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={known}")
        r.record(f"vertex-{name}-subtasks-metrics-one-unknown", "GET", f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={known},absent")
        r.record(f"vertex-{name}-subtasks-metrics-sum", "GET", f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={known}&agg=sum")
        r.record(f"vertex-{name}-metric-names", "GET", f"/jobs/{job}/vertices/{vertex}/metrics")
        r.record(f"vertex-{name}-watermarks", "GET", f"/jobs/{job}/vertices/{vertex}/watermarks")
        r.record(f"vertex-{name}-taskmanagers", "GET", f"/jobs/{job}/vertices/{vertex}/taskmanagers")
        r.record(f"vertex-{name}-subtasktimes", "GET", f"/jobs/{job}/vertices/{vertex}/subtasktimes")
        r.record(f"vertex-{name}-backpressure", "GET", f"/jobs/{job}/vertices/{vertex}/backpressure")
    operator = [entry["id"] for entry in r.get(f"/jobs/{job}/vertices/{vertices[0]['id']}/metrics") if entry["id"].startswith("0.") and entry["id"].endswith("numRecordsOut")]
    r.record("vertex-source-operator-metrics", "GET", f"/jobs/{job}/vertices/{vertices[0]['id']}/metrics?get={','.join(operator)}")
    r.record("vertex-count-metrics-unknown", "GET", f"/jobs/{job}/vertices/{counting}/metrics?get=no.such.metric")

    r.record("checkpoints", "GET", f"/jobs/{job}/checkpoints")
    r.record("checkpoints-config", "GET", f"/jobs/{job}/checkpoints/config")
    newest = r.checkpoints(job)["latest"]["completed"]["id"]
    r.record("checkpoint-completed", "GET", f"/jobs/{job}/checkpoints/details/{newest}")
    r.record("checkpoint-completed-subtasks", "GET", f"/jobs/{job}/checkpoints/details/{newest}/subtasks/{counting}")
    r.record("checkpoint-unknown", "GET", f"/jobs/{job}/checkpoints/details/99999")
    r.record("checkpoint-subtasks-unknown-vertex", "GET", f"/jobs/{job}/checkpoints/details/{newest}/subtasks/{NO_ID}")

    # A checkpoint in progress: its snapshots are slow.
    r.switch(switches, "slow", "2500")
    flying = r.wait("a checkpoint in progress", lambda: next((c["id"] for c in r.checkpoints(job)["history"] if c["status"] == "IN_PROGRESS" and c["num_acknowledged_subtasks"] > 0), None))
    r.record("checkpoints-in-progress", "GET", f"/jobs/{job}/checkpoints")
    r.record("checkpoint-in-progress", "GET", f"/jobs/{job}/checkpoints/details/{flying}")
    for name, vertex in (("source", vertices[0]["id"]), ("count", counting)):
        r.record(f"checkpoint-in-progress-subtasks-{name}", "GET", f"/jobs/{job}/checkpoints/details/{flying}/subtasks/{vertex}")

    # Savepoint: in progress for as long as it is slow.
    trigger = r.record("savepoint-trigger", "POST", f"/jobs/{job}/savepoints", {"cancel-job": False})["request-id"]
    r.record("savepoint-in-progress", "GET", f"/jobs/{job}/savepoints/{trigger}")
    r.wait("the savepoint in the history", lambda: any(c["is_savepoint"] for c in r.checkpoints(job)["history"]))
    r.record("checkpoints-savepoint-in-progress", "GET", f"/jobs/{job}/checkpoints")
    r.off(switches, "slow")
    savepoint = poll(r, "savepoint-completed", f"/jobs/{job}/savepoints/{trigger}")["operation"]["location"]
    r.record("checkpoints-with-savepoint", "GET", f"/jobs/{job}/checkpoints")
    r.record("savepoint-unknown-trigger", "GET", f"/jobs/{job}/savepoints/{NO_ID}")
    trigger = r.record("savepoint-trigger-bad-directory", "POST", f"/jobs/{job}/savepoints", {"target-directory": "file:///proc/nowhere", "cancel-job": False})
    if trigger and "request-id" in trigger:
        poll(r, "savepoint-failed", f"/jobs/{job}/savepoints/{trigger['request-id']}")
    r.record("savepoint-unknown-field", "POST", f"/jobs/{job}/savepoints", {"formatType": "CANONICAL", "triggerId": uuid.uuid4().hex, "anUnknownField": 1})
    mine = uuid.uuid4().hex
    named = r.record("savepoint-trigger-id", "POST", f"/jobs/{job}/savepoints", {"cancel-job": False, "triggerId": mine, "formatType": "NATIVE"})
    if named and "request-id" in named:
        r.record("savepoint-trigger-id-again", "POST", f"/jobs/{job}/savepoints", {"cancel-job": False, "triggerId": mine, "formatType": "NATIVE"})
        poll(r, "savepoint-native-completed", f"/jobs/{job}/savepoints/{mine}")

    # A checkpoint on request (1.17 and later).
    r.switch(switches, "slow", "1000")
    asked = r.record("checkpoint-now-trigger", "POST", f"/jobs/{job}/checkpoints", {"checkpointType": "FULL"})
    if asked and "request-id" in asked:
        r.record("checkpoint-now-in-progress", "GET", f"/jobs/{job}/checkpoints/{asked['request-id']}")
    r.off(switches, "slow")
    if asked and "request-id" in asked:
        poll(r, "checkpoint-now-completed", f"/jobs/{job}/checkpoints/{asked['request-id']}")
    r.record("checkpoint-now-incremental", "POST", f"/jobs/{job}/checkpoints", {"checkpointType": "INCREMENTAL"})
    r.record("checkpoint-now-unknown-trigger", "GET", f"/jobs/{job}/checkpoints/{NO_ID}")

    # Canceled: what was retained is still listed.
    r.wait_completed(job, checkpoints["counts"]["completed"] + 6)
    r.record("cancel", "PATCH", f"/jobs/{job}?mode=cancel")
    r.wait_state(job, "CANCELED")
    r.record("job-canceled", "GET", f"/jobs/{job}")
    last = r.record("checkpoints-canceled", "GET", f"/jobs/{job}/checkpoints")
    r.record("cancel-again", "PATCH", f"/jobs/{job}?mode=cancel")
    r.record("savepoint-of-canceled", "POST", f"/jobs/{job}/savepoints", {"cancel-job": False})
    r.record("stop-of-canceled", "POST", f"/jobs/{job}/stop", {"drain": False})

    # Restored from the retained checkpoint, and from the savepoint with another parallelism.
    chosen = last["latest"]["completed"]["external_path"]
    again = r.run(*arguments, path=chosen, name="jar-run-restored")["jobid"]
    r.wait_completed(again, 1)
    r.record("job-restored", "GET", f"/jobs/{again}")
    r.record("checkpoints-restored", "GET", f"/jobs/{again}/checkpoints")
    stop = r.record("stop-trigger", "POST", f"/jobs/{again}/stop", {"targetDirectory": f"file://{ROOT}/savepoints", "drain": False})["request-id"]
    poll(r, "stop-completed", f"/jobs/{again}/savepoints/{stop}")
    r.wait_state(again, "FINISHED")
    r.record("job-stopped", "GET", f"/jobs/{again}")
    r.record("checkpoints-stopped", "GET", f"/jobs/{again}/checkpoints")
    third = r.run(*arguments, "--parallelism", "1", path=savepoint, name="jar-run-restored-savepoint")["jobid"]
    r.wait_completed(third, 1)
    r.record("checkpoints-restored-savepoint", "GET", f"/jobs/{third}/checkpoints")
    stop = r.record("stop-drain-trigger", "POST", f"/jobs/{third}/stop", {"drain": True})["request-id"]
    poll(r, "stop-drain-completed", f"/jobs/{third}/savepoints/{stop}")
    r.wait_state(third, "FINISHED")
    # A program without the operators of the savepoint is not to be had here; a parallelism above the maximum is.
    r.run(*arguments, "--parallelism", "200", path=savepoint, name="jar-run-unmappable")

    disposal = r.record("disposal-trigger", "POST", "/savepoint-disposal", {"savepoint-path": savepoint})["request-id"]
    poll(r, "disposal-completed", f"/savepoint-disposal/{disposal}")
    disposal = r.record("disposal-trigger-absent", "POST", "/savepoint-disposal", {"savepoint-path": f"file://{ROOT}/savepoints/savepoint-absent"})["request-id"]
    poll(r, "disposal-failed", f"/savepoint-disposal/{disposal}")


def failures(r):
    """Snapshots that fail in each way, and jobs that end by it."""
    async_switches = r.switches("async")
    job = r.run("--name", "shaky", "--dir", f"file://{ROOT}/checkpoints", "--switches", async_switches, "--interval", "700", "--tolerable", "3", "--retention", "DELETE_ON_CANCELLATION")
    vertex = r.wait_completed(job, 1) and r.get(f"/jobs/{job}")["vertices"][0]["id"]
    r.switch(async_switches, "async-fail")
    history = r.wait_failed(job, 2)["history"]
    r.record("checkpoints-async-failed", "GET", f"/jobs/{job}/checkpoints")
    failed = next(c["id"] for c in history if c["status"] == "FAILED")
    r.record("checkpoint-failed", "GET", f"/jobs/{job}/checkpoints/details/{failed}")
    r.record("checkpoint-failed-subtasks", "GET", f"/jobs/{job}/checkpoints/details/{failed}/subtasks/{vertex}")
    trigger = r.record("savepoint-trigger-failing", "POST", f"/jobs/{job}/savepoints", {"cancel-job": False})["request-id"]
    poll(r, "savepoint-failed-async", f"/jobs/{job}/savepoints/{trigger}")
    r.wait("the job to restart", lambda: any(e["exceptionName"] for e in r.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]))
    r.off(async_switches, "async-fail")
    r.record("exceptions-threshold", "GET", f"/jobs/{job}/exceptions?maxExceptions=20")
    r.wait("the job to run again", lambda: (lambda c: c["latest"]["restored"] and c["counts"]["in_progress"] == 0 and c)(r.checkpoints(job)))
    r.record("checkpoints-recovered", "GET", f"/jobs/{job}/checkpoints")
    r.record("checkpoints-config-delete", "GET", f"/jobs/{job}/checkpoints/config")
    r.cancel(job)
    r.record("checkpoints-canceled-deleted", "GET", f"/jobs/{job}/checkpoints")

    switches = r.switches("sync")
    job = r.run("--name", "crashing", "--dir", f"file://{ROOT}/checkpoints", "--switches", switches, "--interval", "700", "--retention", "NO_EXTERNALIZED_CHECKPOINTS")
    r.wait_completed(job, 1)
    r.switch(switches, "sync-fail")
    r.wait("RESTARTING", lambda: r.state(job) == "RESTARTING")
    r.record("job-restarting", "GET", f"/jobs/{job}")
    r.wait_failed(job, 2)
    r.off(switches, "sync-fail")
    r.record("checkpoints-sync-failed", "GET", f"/jobs/{job}/checkpoints")
    r.record("exceptions-sync-failed", "GET", f"/jobs/{job}/exceptions?maxExceptions=20")
    r.record("checkpoints-config-none", "GET", f"/jobs/{job}/checkpoints/config")
    r.wait_state(job, "RUNNING")
    r.cancel(job)

    switches = r.switches("slow")
    r.switch(switches, "slow", "1500")
    job = r.run("--name", "late", "--dir", f"file://{ROOT}/checkpoints", "--switches", switches, "--interval", "500", "--timeout", "900", "--tolerable", "100")
    r.wait_failed(job, 2)
    r.record("checkpoints-expired", "GET", f"/jobs/{job}/checkpoints")
    expired = next(c["id"] for c in r.checkpoints(job)["history"] if c["status"] == "FAILED")
    r.record("checkpoint-expired", "GET", f"/jobs/{job}/checkpoints/details/{expired}")
    r.cancel(job)

    switches = r.switches("crash")
    job = r.run("--name", "broken", "--dir", f"file://{ROOT}/checkpoints", "--switches", switches, "--restarts", "0")
    r.wait_completed(job, 1)
    r.switch(switches, "crash")
    r.wait_state(job, "FAILED")
    r.record("job-failed", "GET", f"/jobs/{job}")
    r.record("exceptions-failed", "GET", f"/jobs/{job}/exceptions?maxExceptions=20")
    r.record("checkpoints-failed", "GET", f"/jobs/{job}/checkpoints")
    r.record("stop-of-failed", "POST", f"/jobs/{job}/stop", {"drain": False})
    r.record("cancel-of-failed", "PATCH", f"/jobs/{job}?mode=cancel")

    job = r.run("--name", "bounded", "--records", "200", "--rate", "2000", "--interval", "0")
    r.wait_state(job, "FINISHED")
    r.record("job-finished", "GET", f"/jobs/{job}")
    r.record("checkpoints-of-none", "GET", f"/jobs/{job}/checkpoints")
    r.record("checkpoints-config-of-none", "GET", f"/jobs/{job}/checkpoints/config")
    r.record("jobs-overview-ended", "GET", "/jobs/overview")


def samples(r, folder):
    """Whole checkpoints and savepoints. What they refer to by absolute path lies under file:/tmp/flink/samples."""
    found = {}

    def take(name, arguments, completed=2, savepoint=None):
        base = f"{ROOT}/samples/{name}"
        job = r.run("--name", name, "--dir", f"file://{base}", "--parallelism", "2", "--keys", "4000", "--rate", "20000", "--interval", "500", *arguments)
        r.wait("all keys", lambda: r.checkpoints(job)["counts"]["completed"] >= completed, 60)
        if savepoint is not None:
            trigger = json.loads(r.ask("POST", f"/jobs/{job}/savepoints", {"cancel-job": False, "target-directory": f"file://{base}", **savepoint})[1])["request-id"]
            r.wait("the savepoint", lambda: r.get(f"/jobs/{job}/savepoints/{trigger}")["status"]["id"] == "COMPLETED")
            path = r.get(f"/jobs/{job}/savepoints/{trigger}")["operation"]["location"]
        r.cancel(job)
        if savepoint is None:
            path = r.checkpoints(job)["latest"]["completed"]["external_path"]
        else:
            shutil.rmtree(f"{base}/{job}")
        latest = r.checkpoints(job)["latest"]["completed" if savepoint is None else "savepoint"]
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        shutil.copytree(base, os.path.join(folder, name))
        found[name] = {"path": path, "job": job, "checkpoint": latest["id"], "state_size": latest["state_size"], "savepoint": savepoint is not None}

    take("heap", [], completed=6)
    take("heap-inline", ["--keys", "5", "--rate", "200"])
    take("rocksdb-incremental", ["--backend", "rocksdb"], completed=4)
    take("savepoint", [], savepoint={})
    if not r.cluster.version.startswith("1.14"):
        take("savepoint-native", ["--backend", "rocksdb"], savepoint={"formatType": "NATIVE"})
    with open(os.path.join(folder, "samples.json"), "w") as file:
        json.dump(found, file, indent=1, sort_keys=True)
        file.write("\n")


def main(version, rest, formats):
    if os.path.exists(ROOT):
        print(f"{ROOT} exists: move it away, the recording needs that name", file=sys.stderr)
        return 1
    for folder in (rest, formats):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    os.makedirs(ROOT, 0o700)
    try:
        cluster = flink_cluster.Cluster(version, ROOT, flink_cluster.SHORT_CACHES)
        try:
            jar = os.path.join(ROOT, "count.jar")
            flink_cluster.build_jar(version, jar)
            cluster.start()
            recorder = Recorder(cluster, rest)
            try:
                with open(jar, "rb") as file:
                    content = file.read()
                for step in (cluster_answers, errors, lambda r: jar_answers(r, content), running, failures, lambda r: samples(r, formats)):
                    step(recorder)
                    print(f"{version}: {len(recorder.requests)} answers", flush=True)
            finally:
                recorder.finish()
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(ROOT, ignore_errors=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
