//! AWS managed policies: a handful of well-known ones with plausible, shortened documents.
//!
//! AWS keeps more than a thousand and changes them at will; nothing here should depend on their exact words. What
//! counts is that the ARN exists, can be attached, and grants about what its name says.

use std::borrow::Cow;

use super::ids::Ids;

/// One AWS managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its path: `/`, `/job-function/`, `/service-role/`, `/aws-service-role/`.
    pub path: Cow<'static, str>,
    /// Its document, as JSON text.
    pub document: Cow<'static, str>,
}

impl Managed {
    /// Its ARN in `partition`. AWS managed policies have `aws` where others have an account id.
    pub fn arn(&self, partition: &str) -> String {
        format!("arn:{partition}:iam::aws:policy{}{}", self.path, self.name)
    }

    /// `ANPA…`, the same in every world.
    pub fn id(&self) -> String {
        // FNV-1a: any spread of the name will do.
        let seed = self
            .name
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
            });
        Ids(seed >> 1).unique("ANPA")
    }
}

/// The one of `policies` with this ARN, whatever the ARN's partition.
pub fn find<'p>(policies: &'p [Managed], arn: &str) -> Option<&'p Managed> {
    let (_, rest) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy")?;
    policies
        .iter()
        .find(|policy| rest.strip_prefix(policy.path.as_ref()) == Some(policy.name.as_ref()))
}

/// The AWS managed policies that every world begins with, by name.
pub const ALL: &[Managed] = &[
    managed(
        "AWSCloudTrail_ReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:Get*","cloudtrail:Describe*","cloudtrail:List*","cloudtrail:LookupEvents"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSElasticBeanstalkWebTier",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:PutObject"],"Resource":["arn:*:s3:::elasticbeanstalk-*","arn:*:s3:::elasticbeanstalk-*/*"]}]}"#,
    ),
    managed(
        "AWSLambdaBasicExecutionRole",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSLambdaVPCAccessExecutionRole",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents","ec2:CreateNetworkInterface","ec2:DescribeNetworkInterfaces","ec2:DeleteNetworkInterface"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSLambda_FullAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:*","logs:DescribeLogGroups","iam:GetRole","iam:ListRoles"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSLambda_ReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:Get*","lambda:List*","logs:DescribeLogGroups"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSOrganizationsReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["organizations:Describe*","organizations:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSSupportAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["support:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWSSupportServiceRolePolicy",
        "/aws-service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","iam:Get*","iam:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AWS_ConfigRole",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["config:Put*","config:Get*","ec2:Describe*","iam:Get*","iam:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AdministratorAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    managed(
        "AmazonDMSVPCManagementRole",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:CreateNetworkInterface","ec2:DeleteNetworkInterface","ec2:Describe*","ec2:ModifyNetworkInterfaceAttribute"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonDynamoDBReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:Describe*","dynamodb:Get*","dynamodb:List*","dynamodb:Query","dynamodb:Scan"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEC2ContainerRegistryReadOnly",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:Describe*","ecr:Get*","ecr:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEC2FullAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","elasticloadbalancing:*","cloudwatch:*","autoscaling:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEC2ReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","elasticloadbalancing:Describe*","cloudwatch:ListMetrics","cloudwatch:GetMetricStatistics","autoscaling:Describe*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonECSTaskExecutionRolePolicy",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEKSClusterPolicy",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","elasticloadbalancing:*","autoscaling:DescribeAutoScalingGroups"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEKSWorkerNodePolicy",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","eks:DescribeCluster","eks-auth:AssumeRoleForPodIdentity"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonEKS_CNI_Policy",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:AssignPrivateIpAddresses","ec2:CreateNetworkInterface","ec2:Describe*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonElasticsearchServiceRolePolicy",
        "/aws-service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:CreateNetworkInterface","ec2:DeleteNetworkInterface","ec2:Describe*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonMemoryDBReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["memorydb:Describe*","memorydb:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonRDSEnhancedMonitoringRole",
        "/service-role/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:PutRetentionPolicy","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonS3FullAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonS3ReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonSQSReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:GetQueueAttributes","sqs:GetQueueUrl","sqs:ListDeadLetterSourceQueues","sqs:ListQueues","sqs:ListMessageMoveTasks","sqs:ListQueueTags"],"Resource":"*"}]}"#,
    ),
    managed(
        "AmazonSSMManagedInstanceCore",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:DescribeAssociation","ssm:GetDocument","ssm:GetParameters","ssm:ListAssociations","ssm:PutInventory","ssm:UpdateInstanceInformation","ssmmessages:*","ec2messages:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "Billing",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["aws-portal:*Billing","billing:*","budgets:*","ce:*","cur:*","invoicing:*","payments:*","tax:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "CloudWatchAgentServerPolicy",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:PutMetricData","ec2:DescribeTags","logs:PutLogEvents","logs:CreateLogStream","logs:CreateLogGroup"],"Resource":"*"}]}"#,
    ),
    managed(
        "CloudWatchReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:Describe*","cloudwatch:Get*","cloudwatch:List*","logs:Get*","logs:List*","logs:Describe*","logs:FilterLogEvents"],"Resource":"*"}]}"#,
    ),
    managed(
        "DatabaseAdministrator",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:Get*","dynamodb:*","rds:*","redshift:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "IAMFullAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:ListChildren","organizations:ListParents","organizations:ListRoots"],"Resource":"*"}]}"#,
    ),
    managed(
        "IAMReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}"#,
    ),
    managed(
        "NetworkAdministrator",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["directconnect:*","ec2:*Vpc*","ec2:Describe*","route53:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "PowerUserAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeOrganization","account:ListRegions"],"Resource":"*"}]}"#,
    ),
    managed(
        "ReadOnlyAccess",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","ec2:Describe*","ec2:Get*","iam:Get*","iam:List*","kms:Describe*","kms:List*","lambda:Get*","lambda:List*","logs:Describe*","logs:Get*","organizations:Describe*","organizations:List*","rds:Describe*","s3:Get*","s3:List*","sns:Get*","sns:List*","sqs:Get*","sqs:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "SecurityAudit",
        "/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["access-analyzer:Get*","access-analyzer:List*","cloudtrail:Describe*","cloudtrail:GetTrail*","cloudtrail:List*","config:Describe*","config:Get*","ec2:Describe*","iam:GenerateCredentialReport","iam:Get*","iam:List*","kms:Describe*","kms:GetKeyPolicy","kms:List*","organizations:Describe*","organizations:List*","s3:GetBucket*","s3:ListAllMyBuckets"],"Resource":"*"}]}"#,
    ),
    managed(
        "SupportUser",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["support:*","ec2:Describe*","iam:List*"],"Resource":"*"}]}"#,
    ),
    managed(
        "SystemAdministrator",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","cloudwatch:*","ssm:*"],"Resource":"*"}]}"#,
    ),
    managed(
        "ViewOnlyAccess",
        "/job-function/",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:DescribeTrails","cloudtrail:LookupEvents","ec2:Describe*","iam:List*","iam:GetAccountSummary","lambda:List*","logs:Describe*","organizations:List*","rds:Describe*","s3:ListAllMyBuckets","sns:List*","sqs:ListQueues"],"Resource":"*"}]}"#,
    ),
];

const fn managed(name: &'static str, path: &'static str, document: &'static str) -> Managed {
    Managed {
        name: Cow::Borrowed(name),
        path: Cow::Borrowed(path),
        document: Cow::Borrowed(document),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_found_by_its_whole_arn_only() {
        for (arn, found) in [
            ("arn:aws:iam::aws:policy/AdministratorAccess", true),
            ("arn:aws-us-gov:iam::aws:policy/SecurityAudit", true),
            ("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", true),
            ("arn:aws:iam::aws:policy/ViewOnlyAccess", false),
            ("arn:aws:iam::aws:policy/administratoraccess", false),
            (
                "arn:aws:iam::111122223333:policy/AdministratorAccess",
                false,
            ),
            ("AdministratorAccess", false),
        ] {
            assert_eq!(find(ALL, arn).is_some(), found, "{arn}");
        }
    }

    #[test]
    fn every_policy_has_a_document_and_an_id_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for policy in ALL {
            assert!(
                serde_json::from_str::<serde_json::Value>(&policy.document).is_ok(),
                "{}",
                policy.name
            );
            assert_eq!(find(ALL, &policy.arn("aws")), Some(policy));
            assert_eq!(policy.id().len(), 21);
            assert!(ids.insert(policy.id()), "{}", policy.name);
        }
    }
}
