"""The mock upstream: nginx for plain answers, our own for paced streams."""

from bench.messages import anthropic_answer, plain_answer, responses_answer
from bench.places import LOAD_CORE, PYTHON, ROOT, WORK, environment, free_port
from bench.processes import Process

NGINX_HEAD = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_processes 1; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
"""
NGINX_HTTP = """
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
"""


class Upstream:
    """Two listeners on the load's core; `plain` and `stream` are base URLs that end in `/v1`."""

    def __init__(self) -> None:
        plain, stream = free_port(), free_port()
        self.plain_port, self.stream_port = plain, stream
        self.plain, self.stream = f"http://127.0.0.1:{plain}/v1", f"http://127.0.0.1:{stream}/v1"
        answers = {"/": plain_answer(), "/v1/messages": anthropic_answer(), "/v1/responses": responses_answer()}
        places = " ".join(
            f"location {path} {{ default_type application/json; return 200 '{answer.decode()}'; }}"
            for path, answer in answers.items()
        )
        server = f"server {{ listen 127.0.0.1:{plain} backlog=2048; {places} }}"
        nginx = start_nginx("mock", server, LOAD_CORE)
        mock = Process(
            [str(PYTHON), "-m", "bench.streaming_mock", "--port", str(stream)],
            LOAD_CORE, WORK / "streaming_mock.log", environment({}), ROOT,
        )  # fmt: skip
        self.processes = [nginx, mock]

    def stop(self) -> None:
        """End both."""
        for process in self.processes:
            process.stop()


def start_nginx(name: str, servers: str, core: int) -> Process:
    """Nginx with one worker, its files in a folder of its own."""
    folder = WORK / f"nginx-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    head, http = NGINX_HEAD.format(folder=folder), NGINX_HTTP.format(folder=folder)
    config.write_text(f"{head}\nhttp {{ {http} {servers} }}\n")
    command = ["nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    return Process(command, core, folder / "output.log", environment({}), folder)
