#!/usr/bin/env python3
"""A proxy before a cluster's REST API that counts what it is asked.

  logging_proxy.py URL LOG

prints "ready http://127.0.0.1:PORT" and serves until standard input ends. A line "delay SECONDS" makes the way there so much longer, and is
answered by "done". LOG gets one line a request, as it is answered: the time of the
request in milliseconds since 1970, how many were in flight with it, the status (0: no answer), method and path.
"""
import http.client
import http.server
import sys
import threading
import time
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target, log):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = urllib.parse.urlsplit(target)
        self.log, self.lock, self.in_flight, self.delay = open(log, "a", buffering=1), threading.Lock(), 0, 0.0

    def handle_error(self, request, client_address):
        pass  # A client that leaves in the middle of an answer.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = None

    def log_message(self, *_):
        pass

    def forward(self):
        began, status = int(time.time() * 1000), 0
        with self.server.lock:
            self.server.in_flight += 1
            in_flight = self.server.in_flight
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            time.sleep(self.server.delay)
            answer = self.ask(body, headers)
            if answer is None:
                self.close_connection = True
                return
            status, content = answer.status, answer.read()
            self.send_response(status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        finally:
            with self.server.lock:
                self.server.in_flight -= 1
                self.server.log.write(f"{began} {in_flight} {status} {self.command} {self.path}\n")

    def ask(self, body, headers):
        """The cluster's answer; None when it gives none. A connection that the cluster has closed meanwhile is made anew, once."""
        for _ in range(2):
            try:
                if self.upstream is None:
                    self.upstream = http.client.HTTPConnection(self.server.target.hostname, self.server.target.port, timeout=60)
                self.upstream.request(self.command, self.path, body=body or None, headers=headers)
                return self.upstream.getresponse()
            except (OSError, http.client.HTTPException):
                self.upstream.close()
                self.upstream = None
                if self.command != "GET":
                    return None
        return None

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = forward


def main(words):
    if len(words) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    proxy = Proxy(words[0], words[1])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    print(f"ready http://127.0.0.1:{proxy.server_address[1]}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if len(words) != 2 or words[0] != "delay":
            print(f"failed no such order: {line.strip()}", flush=True)
            continue
        proxy.delay = float(words[1])
        print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
