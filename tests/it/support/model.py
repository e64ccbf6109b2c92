"""The constraints that AWS's own model of its API puts on what IAM and STS are asked. Prints JSON.

Arguments: operations as `service:Name`.
"""

import json
import sys

import botocore.session

session = botocore.session.get_session()
found = []


def walk(operation, shape, path, required):
    rules = {name: shape.metadata[name] for name in ("min", "max", "pattern", "enum") if name in shape.metadata}
    if rules:
        found.append({"operation": operation, "member": path, "shape": shape.name, "type": shape.type_name,
                      "required": required, **rules})
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            walk(operation, member, f"{path}.{name}" if path else name, name in shape.required_members)
    elif shape.type_name == "list":
        walk(operation, shape.member, f"{path}.member.1", required)


for name in sys.argv[1:]:
    service, operation = name.split(":")
    shape = session.get_service_model(service).operation_model(operation).input_shape
    if shape is not None:
        walk(name, shape, "", True)
print(json.dumps(found))
