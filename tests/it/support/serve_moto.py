"""moto on a free loopback port; prints its endpoint, serves until standard input closes.

Two things differ from a stock `moto_server`, for speed alone: only the AWS managed policies that the tests name are
loaded (all of them cost 0.8 s per account), and answers keep the connection alive.
"""

import json
import logging
import sys

import moto.iam.models as iam
import moto.settings as settings
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

WANTED = {
    "AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit", "ViewOnlyAccess", "AmazonS3ReadOnlyAccess",
    "AmazonSQSReadOnlyAccess", "AmazonMemoryDBReadOnlyAccess", "AWSOrganizationsReadOnlyAccess", "AWSLambdaBasicExecutionRole",
}
POLICIES = {name: data for name, data in json.loads(iam.aws_managed_policies_data).items() if name in WANTED}


def aws_policies(backend):
    if backend.region_name != "aws":
        return []
    return [iam.AWSManagedPolicy.from_data(name, backend.account_id, "aws", data) for name, data in POLICIES.items()]


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_args, **_kwargs):
        pass


iam.IAMBackend._init_aws_policies = aws_policies
settings.load_iam_aws_managed_policies = iam.load_iam_aws_managed_policies = lambda: True
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=Handler)

import socket
import threading

server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
sys.stdin.read()
server.shutdown()
