"""
Reads one request a line, sends it with AWS's own library and answers on one line.

The `aws` command would do the same in a new process each time: a second for each of some two hundred requests.
"""

import json
import sys

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
clients = {}

for line in sys.stdin:
    request = json.loads(line)
    try:
        service = request["service"]
        if service not in clients:
            clients[service] = boto3.client(service, config=config)
        send = getattr(clients[service], botocore.xform_name(request["operation"]))
        answer = {"answer": send(**request["input"])}
    except ClientError as error:
        refused = error.response.get("Error", {})
        answer = {"refused": str(refused.get("Code")), "message": str(error)}
    except Exception as error:
        answer = {"wrong": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
