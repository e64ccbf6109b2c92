//! Answers that get lost between AWS and a writer: the real SDK, on a clock that jumps.

use std::time::Duration;

use rolecall::aws::{Access, Accounts, Aws, Settings};
use rolecall::execute::Writer;
use rolecall::org::{Account, AccountId, AccountStatus, AwsError, OuPath};
use rolecall::read::Reader;
use rolecall::resource::Tags;
use rolecall::resource::name::{IamPath, PolicyArn, PolicyName, RoleName};
use rolecall::resource::step::Step;
use rolecall::sandbox::Sandbox;
use rolecall::sandbox::faults::{Effect, Fault, Moment, Refusal, When};
use rolecall::sandbox::world::World;
use tokio::time::Instant;

const NETWORK: &str = "333333333331";
const DATA: &str = "444444444443";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const WRITE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
const POLICY: &str = "arn:aws:iam::333333333331:policy/Mine";
const AUDIT: &str = "arn:aws:iam::aws:policy/SecurityAudit";

struct Stage {
    sandbox: Sandbox,
    accounts: Accounts,
}

impl Stage {
    /// The demonstration's organization with a role and a policy in one account.
    async fn new() -> Self {
        let sandbox = Sandbox::new(World::demo());
        let settings = Settings {
            http: Some(sandbox.http_client()),
            endpoint: Some("http://sandbox.invalid".to_owned()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(sandbox.credentials()),
        };
        let access = Access {
            role_for: Box::new(|_| "OrganizationAccountAccessRole".to_owned()),
            session_name: "rolecall".to_owned(),
            external_id: None,
        };
        let accounts = Aws::connect(settings).await.unwrap().accounts(access);
        let stage = Self { sandbox, accounts };
        stage.by_hand(
            "CreatePolicy",
            &[("PolicyName", "Mine"), ("PolicyDocument", READ)],
        );
        stage.by_hand(
            "CreateRole",
            &[("RoleName", "Mine"), ("AssumeRolePolicyDocument", TRUST)],
        );
        stage.by_hand(
            "AttachRolePolicy",
            &[("RoleName", "Mine"), ("PolicyArn", AUDIT)],
        );
        stage
    }

    fn by_hand(&self, operation: &str, params: &[(&str, &str)]) {
        self.sandbox
            .by_hand(AccountId::parse(NETWORK).unwrap(), operation, params)
            .unwrap();
    }

    async fn write(&self, step: &Step) -> Result<(), AwsError> {
        self.accounts
            .writing(rolecall::execute::Halt::default())
            .write(&account(NETWORK), step)
            .await
    }

    /// What IAM holds of the account, without ids and times. The number of a policy's next version tells how many
    /// were burnt.
    fn holds(&self) -> Vec<String> {
        self.sandbox.with(|world| {
            let iam = &world.accounts[&AccountId::parse(NETWORK).unwrap()].iam;
            let roles = iam
                .roles
                .values()
                .filter_map(|role| role.latest())
                .map(|role| {
                    let details = (
                        &role.description,
                        role.max_session_duration,
                        &role.boundary,
                        &role.tags,
                    );
                    format!(
                        "{}{} {} {details:?} {:?} {:?}",
                        role.path, role.name, role.trust, role.attached, role.inline
                    )
                });
            let policies = iam
                .policies
                .values()
                .filter_map(|policy| policy.latest())
                .map(|policy| {
                    let versions: Vec<_> = policy
                        .versions
                        .iter()
                        .map(|version| (&version.id, &version.document))
                        .collect();
                    format!(
                        "{}{} {versions:?} next {} {:?}",
                        policy.path, policy.name, policy.next_version, policy.tags
                    )
                });
            roles.chain(policies).collect()
        })
    }

    fn count(&self, operation: &str) -> u64 {
        let calls = self.sandbox.calls();
        calls
            .iter()
            .filter(|(call, _)| call.operation == operation)
            .map(|(_, count)| count)
            .sum()
    }
}

fn account(id: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        name: id.to_owned(),
        email: String::new(),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath::default(),
        parents: Vec::new(),
        joined: None,
        tags: None,
    }
}

fn tags(owner: &str) -> Tags {
    Tags::from([("rolecall:managed-by".to_owned(), owner.to_owned())])
}

fn role(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}

fn create_role(owner: &str) -> Step {
    Step::CreateRole {
        role: role("New+r"),
        path: IamPath::parse("/a/").unwrap(),
        trust: TRUST.to_owned(),
        description: Some("ünd".to_owned()),
        max_session_duration: Some(7200),
        permissions_boundary: PolicyArn::parse(POLICY).ok(),
        tags: tags(owner),
    }
}

fn create_policy(owner: &str) -> Step {
    Step::CreatePolicy {
        name: PolicyName::parse("New+p").unwrap(),
        path: IamPath::parse("/a/").unwrap(),
        description: None,
        document: WRITE.to_owned(),
        tags: tags(owner),
    }
}

fn new_version() -> Step {
    Step::CreatePolicyVersion {
        arn: PolicyArn::parse(POLICY).unwrap(),
        document: WRITE.to_owned(),
    }
}

/// A step of each kind of thing that can happen: created, numbered, put, added, taken away.
fn steps() -> Vec<(&'static str, Step)> {
    let arn = || PolicyArn::parse(AUDIT).unwrap();
    vec![
        ("CreateRole", create_role("me")),
        ("CreatePolicy", create_policy("me")),
        ("CreatePolicyVersion", new_version()),
        (
            "TagRole",
            Step::TagRole {
                role: role("Mine"),
                tags: tags("me"),
            },
        ),
        (
            "UpdateAssumeRolePolicy",
            Step::UpdateAssumeRolePolicy {
                role: role("Mine"),
                document: TRUST.to_owned(),
            },
        ),
        (
            "AttachRolePolicy",
            Step::AttachRolePolicy {
                role: role("Mine"),
                arn: PolicyArn::parse(POLICY).unwrap(),
            },
        ),
        (
            "DetachRolePolicy",
            Step::DetachRolePolicy {
                role: role("Mine"),
                arn: arn(),
            },
        ),
        (
            "DeletePolicy",
            Step::DeletePolicy {
                arn: PolicyArn::parse(POLICY).unwrap(),
            },
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_write_is_done_once_whatever_becomes_of_its_answer() {
    let effects = || {
        [
            Effect::Reset(Moment::Before),
            Effect::Reset(Moment::After),
            Effect::Truncate,
            Effect::Fail,
            Effect::Hang,
            Effect::Delay(Duration::from_secs(40)),
            Effect::Refuse(Refusal::InternalFailure),
            Effect::Refuse(Refusal::ServiceUnavailable),
            Effect::Refuse(Refusal::Throttling),
            Effect::Refuse(Refusal::TooManyRequests),
            Effect::Refuse(Refusal::ConcurrentModification),
            Effect::Expire,
        ]
    };
    for (operation, step) in steps() {
        let clean = Stage::new().await;
        clean.write(&step).await.unwrap();
        for (lag, effect) in [0, 2]
            .into_iter()
            .flat_map(|lag| effects().map(|effect| (lag, effect)))
        {
            let stage = Stage::new().await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            stage
                .sandbox
                .with(|world| world.lag = Duration::from_secs(lag));
            stage
                .sandbox
                .fail(Fault::of(operation, When::First(1), effect.clone()));
            let start = Instant::now();
            let outcome = stage.write(&step).await;
            let what = format!("{operation}, {effect:?}, reads {lag} s late: {outcome:?}");
            assert!(outcome.is_ok(), "{what}");
            assert_eq!(stage.holds(), clean.holds(), "{what}");
            assert_eq!(stage.sandbox.struck(), [1], "{what}");
            assert!(
                start.elapsed() < Duration::from_secs(75),
                "{what}: {:?}",
                start.elapsed()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_version_is_burnt_twice_though_the_session_ends_before_the_look() {
    let stage = Stage::new().await;
    stage.sandbox.fail(Fault::of(
        "CreatePolicyVersion",
        When::First(1),
        Effect::Reset(Moment::After),
    ));
    stage
        .sandbox
        .fail(Fault::of("GetPolicy", When::First(1), Effect::Expire));
    stage.write(&new_version()).await.unwrap();
    assert_eq!(
        (
            stage.count("CreatePolicyVersion"),
            stage.count("AssumeRole")
        ),
        (1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_created_is_never_taken_for_ours() {
    for (operation, mine, theirs) in [
        ("CreateRole", create_role("me"), create_role("them")),
        ("CreatePolicy", create_policy("me"), create_policy("them")),
    ] {
        let stage = Stage::new().await;
        stage.write(&theirs).await.unwrap();
        let before = stage.holds();
        stage.sandbox.fail(Fault::of(
            operation,
            When::First(1),
            Effect::Reset(Moment::Before),
        ));
        let error = stage.write(&mine).await.unwrap_err();
        assert!(error.is("EntityAlreadyExists"), "{error}");
        assert_eq!(stage.holds(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_definite_refusal_is_believed_at_once() {
    let stage = Stage::new().await;
    let gone = Step::DeleteRole {
        role: role("Nobody"),
    };
    stage.write(&create_role("me")).await.unwrap();
    for (step, code) in [
        (create_role("me"), "EntityAlreadyExists"),
        (gone, "NoSuchEntity"),
    ] {
        let start = Instant::now();
        let error = stage.write(&step).await.unwrap_err();
        assert!(error.is(code), "{error}");
        assert_eq!(
            (stage.count("GetRole"), start.elapsed()),
            (0, Duration::ZERO)
        );
    }
    for code in ["LimitExceeded", "AccessDenied", "MalformedPolicyDocument"] {
        let error = rolecall::sandbox::wire::ApiError::new(400, code, "no");
        let before = stage.count("TagRole");
        stage
            .sandbox
            .fail(Fault::of("TagRole", When::First(1), Effect::Error(error)));
        let step = Step::TagRole {
            role: role("Mine"),
            tags: tags("me"),
        };
        assert!(stage.write(&step).await.unwrap_err().is(code));
        assert_eq!(stage.count("TagRole"), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_answers_is_not_waited_for_for_ever() {
    for operation in [
        "CreateRole",
        "CreatePolicyVersion",
        "GetAccountSummary",
        "AssumeRole",
    ] {
        let stage = Stage::new().await;
        stage
            .sandbox
            .fail(Fault::of(operation, When::Always, Effect::Hang));
        let start = Instant::now();
        let outcome = match operation {
            "CreateRole" => stage.write(&create_role("me")).await,
            "CreatePolicyVersion" => stage.write(&new_version()).await,
            _ => stage
                .accounts
                .reading()
                .quotas(&account(NETWORK))
                .await
                .map(drop),
        };
        let error = outcome.unwrap_err().to_string();
        assert!(
            error.contains("no response in time"),
            "{operation}: {error}"
        );
        assert!(
            start.elapsed() < Duration::from_mins(6),
            "{operation}: {:?}",
            start.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_account_slows_down_itself_and_nobody_else() {
    let stage = Stage::new().await;
    stage.sandbox.fail(Fault {
        account: AccountId::parse(NETWORK).ok(),
        ..Fault::of(
            "GetAccountSummary",
            When::First(5),
            Effect::Refuse(Refusal::Throttling),
        )
    });
    let reading = stage.accounts.reading();
    let (throttled, healthy) = (account(NETWORK), account(DATA));
    let many = async |account: &Account, count: usize| {
        let start = Instant::now();
        let calls = (0..count).map(|_| reading.quotas(account));
        let outcomes = futures_util::future::join_all(calls).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        start.elapsed()
    };
    many(&throttled, 1).await;
    let (slow, fast) = tokio::join!(many(&throttled, 20), many(&healthy, 20));
    assert_eq!(fast, Duration::ZERO, "a healthy account waits for nothing");
    assert!(
        slow > Duration::from_secs(2) && slow < Duration::from_secs(20),
        "{slow:?}"
    );
    many(&throttled, 200).await;
    assert_eq!(
        many(&throttled, 20).await,
        Duration::ZERO,
        "that is forgotten in the end"
    );
}
