"""What boto3 makes of an AWS: pages, details and a document with letters that clients get wrong. Prints JSON."""

import json

import boto3

organizations, iam = boto3.client("organizations"), boto3.client("iam")

document = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/a+b c%3Ad/é"}],
}
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
for name in ["one", "two", "three"]:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Description=f"Rôle {name} + more")
iam.put_role_policy(RoleName="one", PolicyName="inline", PolicyDocument=json.dumps(document, ensure_ascii=False))

accounts = organizations.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 5})
details = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
details = [page["UserDetailList"] + page["RoleDetailList"] + page["Policies"] for page in details]
print(json.dumps({
    "accounts": [[account["Name"] for account in page["Accounts"]] for page in accounts],
    "details": [[one.get("RoleName") or one.get("UserName") or one["PolicyName"] for one in page] for page in details],
    "same": iam.get_role_policy(RoleName="one", PolicyName="inline")["PolicyDocument"] == document,
    "description": iam.get_role(RoleName="one")["Role"]["Description"],
}))
