//! The sandbox as its callers meet it: through the real SDK.
#![allow(clippy::unwrap_used)]

use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;

use super::*;
use faults::{Moment, When};
use protocol::Service;

const MANAGEMENT: &str = "111111111111";
const MEMBER: &str = "444444444441";
const OTHER: &str = "444444444442";

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn sandbox() -> Sandbox {
    let mut world = World::demo();
    world.clock = Clock::Manual(Duration::ZERO);
    Sandbox::new(world)
}

fn sts(sandbox: &Sandbox, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(credentials)
        .http_client(sandbox.http_client());
    aws_sdk_sts::Client::from_conf(config.build())
}

fn organizations(sandbox: &Sandbox, credentials: Credentials) -> aws_sdk_organizations::Client {
    let config = aws_sdk_organizations::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(credentials)
        .http_client(sandbox.http_client());
    aws_sdk_organizations::Client::from_conf(config.build())
}

/// The code and the sentence of a refusal; nothing where there was none.
fn refusal<T, E: ProvideErrorMetadata, R>(outcome: Result<T, SdkError<E, R>>) -> (String, String) {
    match outcome {
        Ok(_) => (String::new(), String::new()),
        Err(error) => (
            error.code().unwrap_or("no code").to_owned(),
            error.message().unwrap_or_default().to_owned(),
        ),
    }
}

/// What happens when `who` assumes `role` of `account`.
async fn assume(sandbox: &Sandbox, who: &str, account: &str, role: &str) -> (String, String) {
    let client = sts(sandbox, sandbox.credentials_of(who).unwrap());
    refusal(assume_role(&client, account, role).send().await)
}

fn assume_role(client: &aws_sdk_sts::Client, account: &str, role: &str) -> AssumeRoleFluentBuilder {
    client
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/{role}"))
        .role_session_name("test")
}

fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{condition}}}]}}"#
    )
}

fn role(sandbox: &Sandbox, account_id: &str, name: &str, trust: &str) {
    let params = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
    sandbox
        .by_hand(account(account_id), "CreateRole", &params)
        .unwrap();
}

fn user(sandbox: &Sandbox, account_id: &str, name: &str) -> String {
    sandbox
        .by_hand(account(account_id), "CreateUser", &[("UserName", name)])
        .unwrap();
    format!("arn:aws:iam::{account_id}:user/{name}")
}

fn allow(sandbox: &Sandbox, account_id: &str, user: &str, effect: &str) {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"sts:AssumeRole","Resource":"*"}}]}}"#
    );
    let params = [
        ("UserName", user),
        ("PolicyName", effect),
        ("PolicyDocument", &document),
    ];
    sandbox
        .by_hand(account(account_id), "PutUserPolicy", &params)
        .unwrap();
}

fn admin() -> String {
    format!("arn:aws:iam::{MANAGEMENT}:user/admin")
}

#[tokio::test]
async fn the_management_caller_enters_a_member_account_and_acts_in_it() {
    let sandbox = sandbox();
    let client = sts(&sandbox, sandbox.credentials());
    let who = client.get_caller_identity().send().await.unwrap();
    assert_eq!(
        (who.account(), who.arn()),
        (Some(MANAGEMENT), Some(admin().as_str()))
    );
    let entered = assume_role(&client, MEMBER, build::ACCESS_ROLE)
        .send()
        .await
        .unwrap();
    let keys = entered.credentials().unwrap();
    let arn = format!("arn:aws:sts::{MEMBER}:assumed-role/OrganizationAccountAccessRole/test");
    assert_eq!(entered.assumed_role_user().unwrap().arn(), arn);
    let seconds =
        keys.expiration().secs() - aws_smithy_types::DateTime::from(SystemTime::now()).secs();
    assert!((3590..=3600).contains(&seconds), "{seconds}");
    let token = Some(keys.session_token().to_owned());
    let session = Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        token,
        None,
        "test",
    );
    let who = sts(&sandbox, session)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(
        (who.account(), who.arn()),
        (Some(MEMBER), Some(arn.as_str()))
    );
}

#[tokio::test]
async fn a_caller_without_an_identity_is_refused_in_the_words_of_the_service() {
    let sandbox = sandbox();
    let member = sandbox
        .credentials_of(&format!(
            "arn:aws:iam::{MEMBER}:role/{}",
            build::ACCESS_ROLE
        ))
        .unwrap();
    let without_token = Credentials::new(member.access_key_id(), "x", None, None, "test");
    let unknown = Credentials::new("AKIAUNKNOWN", "x", None, None, "test");
    let (invalid, unrecognized) = ("InvalidClientTokenId", "UnrecognizedClientException");
    let check = async |keys: &Credentials, xml: &str, json: &str| {
        assert_eq!(
            refusal(
                sts(&sandbox, keys.clone())
                    .get_caller_identity()
                    .send()
                    .await
            )
            .0,
            xml
        );
        assert_eq!(
            refusal(
                organizations(&sandbox, keys.clone())
                    .list_accounts()
                    .send()
                    .await
            )
            .0,
            json
        );
    };
    check(&unknown, invalid, unrecognized).await;
    let ann = sandbox
        .credentials_of(&user(&sandbox, MEMBER, "ann"))
        .unwrap();
    check(&ann, "", "AccessDeniedException").await;
    sandbox
        .by_hand(account(MEMBER), "DeleteUser", &[("UserName", "ann")])
        .unwrap();
    check(&ann, invalid, unrecognized).await;
    check(&without_token, invalid, unrecognized).await;
    check(&member, "", "AccessDeniedException").await;
    sandbox.advance(Duration::from_secs(3599));
    check(&member, "", "AccessDeniedException").await;
    sandbox.advance(Duration::from_secs(1));
    check(&member, "ExpiredToken", "ExpiredTokenException").await;
    let none = sandbox
        .answer(&Request {
            body: b"Action=GetCallerIdentity".to_vec(),
            ..Request::default()
        })
        .await
        .unwrap();
    assert_eq!(none.status, 403);
    assert!(
        none.body
            .contains("<Code>MissingAuthenticationToken</Code>"),
        "{}",
        none.body
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_entered_is_refused_in_one_sentence() {
    let sandbox = sandbox();
    role(
        &sandbox,
        MEMBER,
        "Foreign",
        &trust("arn:aws:iam::999999999999:root", "{}"),
    );
    let by_path = [
        ("RoleName", "Deep"),
        ("Path", "/a/b/"),
        ("AssumeRolePolicyDocument", &trust(MANAGEMENT, "{}")),
    ];
    sandbox
        .by_hand(account(MEMBER), "CreateRole", &by_path)
        .unwrap();
    for (id, name) in [
        (MEMBER, "Missing"),
        (MEMBER, "Foreign"),
        (MEMBER, "Deep"),
        (MEMBER, "organizationaccountaccessrole"),
        ("666666666662", build::ACCESS_ROLE),
        ("999999999999", build::ACCESS_ROLE),
    ] {
        let sentence = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{id}:role/{name}",
            admin()
        );
        assert_eq!(
            assume(&sandbox, &admin(), id, name).await,
            ("AccessDenied".to_owned(), sentence)
        );
    }
    assert_eq!(assume(&sandbox, &admin(), MEMBER, "a/b/Deep").await.0, "");
    let root = format!("arn:aws:iam::{MANAGEMENT}:root");
    let (code, sentence) = assume(&sandbox, &root, MEMBER, build::ACCESS_ROLE).await;
    assert_eq!(
        (code.as_str(), sentence.as_str()),
        ("AccessDenied", "Roles may not be assumed by root accounts.")
    );
}

#[tokio::test]
async fn an_external_id_must_be_the_one_that_the_trust_asks_for() {
    let sandbox = sandbox();
    role(
        &sandbox,
        MEMBER,
        "Vendor",
        &trust(MANAGEMENT, r#"{"StringEquals":{"sts:ExternalId":"right"}}"#),
    );
    let client = sts(&sandbox, sandbox.credentials());
    for (given, code) in [
        (None, "AccessDenied"),
        (Some("wrong"), "AccessDenied"),
        (Some("right"), ""),
    ] {
        let outcome = assume_role(&client, MEMBER, "Vendor")
            .set_external_id(given.map(str::to_owned))
            .send()
            .await;
        assert_eq!(refusal(outcome).0, code, "{given:?}");
    }
}

#[tokio::test]
async fn conditions_on_the_caller_are_held_against_the_caller() {
    let sandbox = sandbox();
    let denied = "AccessDenied";
    for (name, condition, expect) in [
        (
            "Org",
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-rolecalldemo"}}"#,
            "",
        ),
        (
            "OtherOrg",
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-someoneelse"}}"#,
            denied,
        ),
        (
            "Arn",
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:user/adm*"}}"#,
            "",
        ),
        (
            "OtherArn",
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#,
            denied,
        ),
        (
            "Account",
            r#"{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
            "",
        ),
        (
            "Session",
            r#"{"StringEquals":{"sts:RoleSessionName":"test"}}"#,
            "",
        ),
        (
            "OtherSession",
            r#"{"StringEquals":{"sts:RoleSessionName":"another"}}"#,
            denied,
        ),
        (
            "Mfa",
            r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            denied,
        ),
        (
            "NoMfa",
            r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "",
        ),
    ] {
        role(&sandbox, MEMBER, name, &trust(MANAGEMENT, condition));
        assert_eq!(
            assume(&sandbox, &admin(), MEMBER, name).await.0,
            expect,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_caller_of_another_account_needs_both_sides() {
    let sandbox = sandbox();
    let who = user(&sandbox, OTHER, "ann");
    role(&sandbox, MEMBER, "Named", &trust(&who, "{}"));
    role(&sandbox, MEMBER, "Delegated", &trust(OTHER, "{}"));
    let both = async |expect: &str| {
        for name in ["Named", "Delegated"] {
            assert_eq!(
                assume(&sandbox, &who, MEMBER, name).await.0,
                expect,
                "{name}"
            );
        }
    };
    both("AccessDenied").await;
    allow(&sandbox, OTHER, "ann", "Allow");
    both("").await;
    allow(&sandbox, OTHER, "ann", "Deny");
    both("AccessDenied").await;
}

#[tokio::test]
async fn a_caller_of_the_same_account_needs_its_own_policies_only_where_it_is_not_named() {
    let sandbox = sandbox();
    let who = user(&sandbox, MEMBER, "ann");
    role(&sandbox, MEMBER, "Named", &trust(&who, "{}"));
    role(&sandbox, MEMBER, "Delegated", &trust(MEMBER, "{}"));
    let check = async |named: &str, delegated: &str| {
        assert_eq!(assume(&sandbox, &who, MEMBER, "Named").await.0, named);
        assert_eq!(
            assume(&sandbox, &who, MEMBER, "Delegated").await.0,
            delegated
        );
    };
    check("", "AccessDenied").await;
    allow(&sandbox, MEMBER, "ann", "Allow");
    check("", "").await;
    allow(&sandbox, MEMBER, "ann", "Deny");
    check("AccessDenied", "AccessDenied").await;
}

#[tokio::test]
async fn a_user_may_what_its_groups_may_and_no_more_than_its_boundary() {
    let sandbox = sandbox();
    let who = user(&sandbox, OTHER, "ann");
    let by_hand = |operation, params: &[(&str, &str)]| {
        sandbox.by_hand(account(OTHER), operation, params).unwrap()
    };
    role(&sandbox, MEMBER, "Delegated", &trust(OTHER, "{}"));
    by_hand("CreateGroup", &[("GroupName", "admins")]);
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    by_hand(
        "AttachGroupPolicy",
        &[("GroupName", "admins"), ("PolicyArn", arn)],
    );
    assert_eq!(
        assume(&sandbox, &who, MEMBER, "Delegated").await.0,
        "AccessDenied"
    );
    by_hand(
        "AddUserToGroup",
        &[("GroupName", "admins"), ("UserName", "ann")],
    );
    assert_eq!(assume(&sandbox, &who, MEMBER, "Delegated").await.0, "");
    let bounded = |policy: &str| {
        let boundary = Some(format!("arn:aws:iam::aws:policy/{policy}"));
        sandbox.with(|world| {
            let users = &mut world.accounts.get_mut(&account(OTHER)).unwrap().iam.users;
            users.get_mut("ann").unwrap().boundary = boundary;
        });
    };
    bounded("SecurityAudit");
    assert_eq!(
        assume(&sandbox, &who, MEMBER, "Delegated").await.0,
        "AccessDenied"
    );
    bounded("PowerUserAccess");
    assert_eq!(assume(&sandbox, &who, MEMBER, "Delegated").await.0, "");
}

#[tokio::test]
async fn a_session_goes_by_its_role_and_stops_when_the_role_is_made_anew() {
    let sandbox = sandbox();
    let hub = format!("arn:aws:iam::{OTHER}:role/Hub");
    let make = || {
        role(&sandbox, OTHER, "Hub", &trust(MANAGEMENT, "{}"));
        let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
        let params = [("RoleName", "Hub"), ("PolicyArn", arn)];
        sandbox
            .by_hand(account(OTHER), "AttachRolePolicy", &params)
            .unwrap();
    };
    make();
    role(&sandbox, MEMBER, "Spoke", &trust(&hub, "{}"));
    let session = sts(&sandbox, sandbox.credentials_of(&hub).unwrap());
    assert_eq!(
        refusal(assume_role(&session, MEMBER, "Spoke").send().await).0,
        ""
    );
    let params = [
        ("RoleName", "Hub"),
        ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ];
    sandbox
        .by_hand(account(OTHER), "DetachRolePolicy", &params)
        .unwrap();
    sandbox
        .by_hand(account(OTHER), "DeleteRole", &[("RoleName", "Hub")])
        .unwrap();
    make();
    // The trust still names the role that was, and so does the session.
    assert_eq!(
        refusal(assume_role(&session, MEMBER, "Spoke").send().await).0,
        "AccessDenied"
    );
    assert_eq!(
        assume(&sandbox, &hub, MEMBER, "Spoke").await.0,
        "AccessDenied"
    );
}

#[tokio::test]
async fn a_new_role_cannot_be_assumed_before_it_is_seen() {
    let sandbox = sandbox();
    sandbox.with(|world| world.lag = Duration::from_secs(10));
    role(&sandbox, MEMBER, "New", &trust(MANAGEMENT, "{}"));
    assert_eq!(
        assume(&sandbox, &admin(), MEMBER, "New").await.0,
        "AccessDenied"
    );
    sandbox.advance(Duration::from_secs(10));
    assert_eq!(assume(&sandbox, &admin(), MEMBER, "New").await.0, "");
}

#[tokio::test]
async fn parameters_of_assume_role_are_checked() {
    let sandbox = sandbox();
    let hub = format!("arn:aws:iam::{OTHER}:role/Hub");
    role(&sandbox, MEMBER, "Long", &trust("*", "{}"));
    let long = [("RoleName", "Long"), ("MaxSessionDuration", "7200")];
    sandbox
        .by_hand(account(MEMBER), "UpdateRole", &long)
        .unwrap();
    role(&sandbox, OTHER, "Hub", &trust(MANAGEMENT, "{}"));
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    sandbox
        .by_hand(
            account(OTHER),
            "AttachRolePolicy",
            &[("RoleName", "Hub"), ("PolicyArn", arn)],
        )
        .unwrap();
    let client = sts(&sandbox, sandbox.credentials());
    let chained = sts(&sandbox, sandbox.credentials_of(&hub).unwrap());
    let asked = || assume_role(&client, MEMBER, "Long");
    let exceeds = "exceeds the MaxSessionDuration set for this role";
    for (request, says) in [
        (
            asked().duration_seconds(899),
            "greater than or equal to 900",
        ),
        (asked().duration_seconds(-1), "greater than or equal to 900"),
        (
            asked().duration_seconds(43201),
            "less than or equal to 43200",
        ),
        (asked().duration_seconds(7201), exceeds),
        (asked().duration_seconds(7200), ""),
        (
            assume_role(&chained, MEMBER, "Long").duration_seconds(3601),
            "role chaining",
        ),
        (
            assume_role(&chained, MEMBER, "Long").duration_seconds(3600),
            "",
        ),
        (
            asked().role_session_name("a"),
            "'roleSessionName' failed to satisfy constraint: Member must have length",
        ),
        (
            asked().role_session_name("a b"),
            "regular expression pattern: [\\w+=,.@-]*",
        ),
        (
            asked().role_session_name("a".repeat(65)),
            "less than or equal to 64",
        ),
        (asked().external_id("a"), "'externalId' failed"),
        (asked().external_id("a b"), "[\\w+=,.@:\\/-]*"),
        (asked().external_id("a:/b"), ""),
        (asked().role_arn("arn:aws:iam::x:role/y12345"), "is invalid"),
    ] {
        let (code, sentence) = refusal(request.send().await);
        assert_eq!(
            code,
            if says.is_empty() {
                ""
            } else {
                "ValidationError"
            },
            "{says}: {sentence}"
        );
        assert!(sentence.contains(says), "{says}: {sentence}");
    }
    let (code, _) = refusal(
        asked()
            .serial_number("arn:aws:iam::1:mfa/x")
            .token_code("123456")
            .send()
            .await,
    );
    assert_eq!(code, "AccessDenied");
}

#[tokio::test]
async fn session_tags_and_a_source_identity_need_an_allowance_of_their_own() {
    let sandbox = sandbox();
    role(
        &sandbox,
        MEMBER,
        "Tagged",
        &trust(
            MANAGEMENT,
            r#"{"StringEqualsIfExists":{"aws:RequestTag/team":"web"}}"#,
        ),
    );
    let client = sts(&sandbox, sandbox.credentials());
    let tag = |value| {
        aws_sdk_sts::types::Tag::builder()
            .key("team")
            .value(value)
            .build()
            .unwrap()
    };
    let asked = || assume_role(&client, MEMBER, "Tagged");
    assert_eq!(refusal(asked().tags(tag("web")).send().await).0, "");
    assert_eq!(
        refusal(asked().tags(tag("data")).send().await).0,
        "AccessDenied"
    );
    let (_, sentence) = refusal(asked().source_identity("ann").send().await);
    assert!(
        sentence.contains("perform: sts:SetSourceIdentity"),
        "{sentence}"
    );
}

#[tokio::test]
async fn what_sts_does_not_do_here_is_said_and_what_it_never_did_is_an_invalid_action() {
    let sandbox = sandbox();
    let client = sts(&sandbox, sandbox.credentials());
    assert_eq!(
        refusal(client.get_session_token().send().await).0,
        "NotImplemented"
    );
    assert_eq!(
        refusal(client.get_federation_token().name("ann").send().await).0,
        "NotImplemented"
    );
    let key = sandbox.credentials().access_key_id().to_owned();
    let ask = async |service: &str, target: Option<&str>| {
        let authorization = Some(format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request,"
        ));
        let target = target.map(str::to_owned);
        sandbox
            .answer(&Request {
                authorization,
                target,
                body: b"{}".to_vec(),
                ..Request::default()
            })
            .await
            .unwrap()
            .body
    };
    for (service, code) in [
        ("iam", "InvalidAction"),
        ("sts", "InvalidAction"),
        ("s3", "InvalidAction"),
    ] {
        assert!(
            ask(service, None)
                .await
                .contains(&format!("<Code>{code}</Code>")),
            "{service}"
        );
    }
    let unknown = ask(
        "organizations",
        Some("AWSOrganizationsV20161128.MakeCoffee"),
    )
    .await;
    assert!(unknown.contains("UnknownOperationException"), "{unknown}");
}

#[tokio::test]
async fn calls_are_counted_by_service_operation_and_account_entered() {
    let sandbox = sandbox();
    let client = sts(&sandbox, sandbox.credentials());
    for id in [MEMBER, OTHER, OTHER] {
        assume_role(&client, id, build::ACCESS_ROLE)
            .send()
            .await
            .unwrap();
    }
    let call = |id| Call {
        service: Service::Sts,
        operation: "AssumeRole".to_owned(),
        account: Some(account(id)),
    };
    assert_eq!(
        sandbox.calls(),
        BTreeMap::from([(call(MEMBER), 1), (call(OTHER), 2)])
    );
}

#[tokio::test]
async fn a_fault_strikes_before_anything_happened() {
    let sandbox = sandbox();
    let client = organizations(&sandbox, sandbox.credentials());
    let throttled = ApiError::new(400, "TooManyRequestsException", "slow down");
    let create = || {
        client
            .create_account()
            .account_name("new")
            .email("new@example.com")
            .send()
    };
    for effect in [Effect::Error(throttled), Effect::Reset(Moment::Before)] {
        sandbox.fail(Fault {
            operation: "CreateAccount".to_owned(),
            account: None,
            when: When::First(1),
            effect,
        });
    }
    // The first rule hits the first call and hides the second rule from it.
    assert_eq!(refusal(create().await).0, "TooManyRequestsException");
    assert_eq!(sandbox.with(|world| world.accounts.len()), 12);
    create().await.unwrap();
    assert_eq!(sandbox.with(|world| world.accounts.len()), 13);
    let other = Fault {
        operation: "List*".to_owned(),
        account: Some(account(MANAGEMENT)),
        when: When::Always,
        effect: Effect::Reset(Moment::Before),
    };
    sandbox.fail(other);
    let broken = client.list_accounts().send().await.unwrap_err();
    assert!(
        matches!(&broken, SdkError::DispatchFailure(failure) if failure.is_io()),
        "{broken:?}"
    );
}

#[tokio::test]
async fn latency_is_waited_for() {
    let sandbox = sandbox();
    sandbox.set_latency(Duration::from_millis(30));
    let start = std::time::Instant::now();
    sts(&sandbox, sandbox.credentials())
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
}

/// A caller without keys, who brings a token.
fn nobody(sandbox: &Sandbox) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .http_client(sandbox.http_client());
    aws_sdk_sts::Client::from_conf(config.build())
}

#[tokio::test]
async fn a_token_is_held_against_provider_audience_and_trust() {
    let sandbox = sandbox();
    let github = "token.actions.githubusercontent.com";
    let provider = format!("arn:aws:iam::{MEMBER}:oidc-provider/{github}");
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithWebIdentity",
        "Condition":{{"StringEquals":{{"{github}:aud":"sts.amazonaws.com"}},"StringLike":{{"{github}:sub":"repo:ours/app:*"}}}}}}]}}"#
    );
    let by_hand = |operation: &str, params: &[(&str, &str)]| {
        sandbox.by_hand(account(MEMBER), operation, params).unwrap();
    };
    by_hand(
        "CreateRole",
        &[("RoleName", "deploy"), ("AssumeRolePolicyDocument", &trust)],
    );
    let enter = async |claims: serde_json::Value| {
        let payload = aws_smithy_types::base64::encode(claims.to_string())
            .replace('+', "-")
            .replace('/', "_");
        let arn = format!("arn:aws:iam::{MEMBER}:role/deploy");
        let call = nobody(&sandbox)
            .assume_role_with_web_identity()
            .role_arn(arn)
            .role_session_name("ci");
        refusal(
            call.web_identity_token(format!("e30.{}.sig", payload.trim_end_matches('=')))
                .send()
                .await,
        )
        .0
    };
    let token = |audience: &str, subject: &str| serde_json::json!({"iss": format!("https://{github}"), "aud": audience, "sub": subject, "exp": 99_999_999_999_u64});
    let right = token("sts.amazonaws.com", "repo:ours/app:ref:refs/heads/main");
    assert_eq!(
        enter(right.clone()).await,
        "InvalidIdentityToken",
        "the account has no such provider"
    );
    let url = format!("https://{github}");
    by_hand(
        "CreateOpenIDConnectProvider",
        &[
            ("Url", &url),
            ("ClientIDList.member.1", "sts.amazonaws.com"),
        ],
    );
    assert_eq!(enter(right.clone()).await, "");
    let mut old = right;
    old["exp"] = 1.into();
    for (claims, code) in [
        (old, "ExpiredTokenException"),
        (token("another", "repo:ours/app:x"), "InvalidIdentityToken"),
        (
            token("sts.amazonaws.com", "repo:theirs/app:x"),
            "AccessDenied",
        ),
        (
            serde_json::json!({"iss": url, "aud": "sts.amazonaws.com"}),
            "InvalidIdentityToken",
        ),
    ] {
        assert_eq!(enter(claims.clone()).await, code, "{claims}");
    }
    let call = nobody(&sandbox)
        .assume_role_with_web_identity()
        .role_arn("arn:aws:iam::1:role/x");
    let call = call.role_session_name("ci").web_identity_token("nonsense");
    assert_eq!(refusal(call.send().await).0, "InvalidIdentityToken");
}

#[tokio::test]
async fn an_assertion_is_held_against_provider_role_and_trust() {
    let sandbox = sandbox();
    let provider = format!("arn:aws:iam::{MEMBER}:saml-provider/corp");
    let role = format!("arn:aws:iam::{MEMBER}:role/people");
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithSAML",
        "Condition":{{"StringEquals":{{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}}}}]}}"#
    );
    let by_hand = |operation: &str, params: &[(&str, &str)]| {
        sandbox.by_hand(account(MEMBER), operation, params).unwrap();
    };
    by_hand(
        "CreateRole",
        &[("RoleName", "people"), ("AssumeRolePolicyDocument", &trust)],
    );
    let assertion = |recipient: &str, role: &str| {
        let xml = format!(
            r#"<saml2:Assertion xmlns:saml2="x"><saml2:Issuer>https://idp</saml2:Issuer><saml2:Subject><saml2:NameID
            Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann</saml2:NameID><saml2:SubjectConfirmation>
            <saml2:SubjectConfirmationData Recipient="{recipient}"/></saml2:SubjectConfirmation></saml2:Subject>
            <saml2:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role"><saml2:AttributeValue>{role},{provider}</saml2:AttributeValue></saml2:Attribute>
            <saml2:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml2:AttributeValue>ann</saml2:AttributeValue></saml2:Attribute></saml2:Assertion>"#
        );
        aws_smithy_types::base64::encode(xml)
    };
    let enter = async |assertion: String| {
        let call = nobody(&sandbox)
            .assume_role_with_saml()
            .role_arn(&role)
            .principal_arn(&provider);
        refusal(call.saml_assertion(assertion).send().await).0
    };
    let signin = "https://signin.aws.amazon.com/saml";
    assert_eq!(
        enter(assertion(signin, &role)).await,
        "InvalidIdentityToken",
        "the account has no such provider"
    );
    by_hand(
        "CreateSAMLProvider",
        &[("Name", "corp"), ("SAMLMetadataDocument", "<x/>")],
    );
    assert_eq!(enter(assertion(signin, &role)).await, "");
    assert_eq!(
        enter(assertion("https://elsewhere", &role)).await,
        "AccessDenied"
    );
    assert_eq!(
        enter(assertion(signin, &format!("{role}-other"))).await,
        "InvalidIdentityToken"
    );
    assert_eq!(enter("%%%".to_owned()).await, "InvalidIdentityToken");
}
