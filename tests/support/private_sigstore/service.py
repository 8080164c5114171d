"""One HTTP server on the loopback interface for all services."""

import http.server
import json
import threading

BODY_SIZE_MAX = 1 << 20


def serve(doors):
    """Serve POST requests by path; returns the URL and what stops it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            size = int(self.headers.get("Content-Length", "0"))
            try:
                assert size <= BODY_SIZE_MAX
                kind, answer = doors[self.path](self.headers, self.rfile.read(size))
                status = 201
            except Exception as error:
                said = {"code": 3, "message": f"{type(error).__name__}: {error}"}
                kind, answer, status = "application/json", json.dumps(said), 400
            data = answer.encode() if isinstance(answer, str) else answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop():
        server.shutdown()
        server.server_close()
        thread.join()

    return f"http://127.0.0.1:{server.server_port}", stop
