//! Whose a state is, and what was converged in its accounts.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[tokio::test]
async fn what_is_put_is_read_again() {
    let (_directory, stores) = both().await;
    for store in stores {
        let empty = store.account(account("222222222222")).await.unwrap();
        assert_eq!(empty, AccountRecord::new(account("222222222222")));
        for run in ["first", "second"] {
            for id in ["222222222222", "012345678901"] {
                store.put_account(&record(id, run)).await.unwrap();
            }
        }
        let again = Store::open(Arc::clone(&store.backend), identity(), Access::Read)
            .await
            .unwrap();
        assert_eq!(
            again.account(account("222222222222")).await.unwrap(),
            record("222222222222", "second")
        );
        assert_eq!(
            again.accounts().await.unwrap(),
            [account("012345678901"), account("222222222222")]
        );
        assert_eq!(again.salt(), store.salt());
    }
}

#[tokio::test]
async fn a_state_that_is_only_read_is_never_made() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("state");
    let bucket = Arc::new(Bucket::default());
    for backend in [
        Arc::new(Directory::new(&root)) as Arc<dyn Backend>,
        bucket.clone(),
    ] {
        let store = Store::open(backend, identity(), Access::Read)
            .await
            .unwrap();
        assert!(
            store.accounts().await.unwrap().is_empty()
                && store.runs(20).await.unwrap() == Runs::default()
        );
        assert!(!store.salt().is_empty());
        assert!(
            Store::inspect(Arc::clone(&store.backend), "vendor-roles", None)
                .await
                .unwrap()
                .is_none()
        );
    }
    assert!(!root.exists() && bucket.keys().is_empty());
}

#[tokio::test]
async fn a_state_serves_its_owner_alone() {
    let (_directory, stores) = both().await;
    for store in stores {
        let open = |organization: &str, name: &str, access| {
            let identity = Identity {
                organization: organization.to_owned(),
                name: name.to_owned(),
            };
            Store::open(Arc::clone(&store.backend), identity, access)
        };
        for (organization, name) in [("o-example", "other"), ("o-other", "vendor-roles")] {
            for access in [Access::Read, Access::Write] {
                let error = open(organization, name, access).await.unwrap_err();
                assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
                let text = error.to_string();
                assert!(
                    [organization, name, "o-example", "`vendor-roles`"]
                        .iter()
                        .all(|part| text.contains(part)),
                    "{text}"
                );
            }
        }
        let inspect = |name: &'static str, organization| {
            Store::inspect(Arc::clone(&store.backend), name, organization)
        };
        assert!(inspect("vendor-roles", None).await.unwrap().is_some());
        assert!(
            inspect("vendor-roles", Some("o-example"))
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            inspect("vendor-roles", Some("o-other")).await.is_err()
                && inspect("other", None).await.is_err()
        );
    }
}

#[tokio::test]
async fn two_who_make_a_state_at_once_make_one() {
    let directory = tempfile::tempdir().unwrap();
    for backend in [
        Arc::new(Directory::new(directory.path())) as Arc<dyn Backend>,
        Arc::new(Bucket::default()),
    ] {
        let opened = (0..8).map(|_| Store::open(Arc::clone(&backend), identity(), Access::Write));
        let stores = futures_util::future::try_join_all(opened).await.unwrap();
        assert!(stores.iter().all(|store| store.salt() == stores[0].salt()));
    }
}

#[tokio::test]
async fn a_write_over_what_somebody_else_wrote_is_refused() {
    let (_directory, stores) = both().await;
    for store in stores {
        store
            .put_account(&record("222222222222", "ours"))
            .await
            .unwrap();
        let other = Store::open(Arc::clone(&store.backend), identity(), Access::Write)
            .await
            .unwrap();
        other
            .put_account(&record("222222222222", "theirs"))
            .await
            .unwrap();
        let error = store
            .put_account(&record("222222222222", "late"))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(
            other.account(account("222222222222")).await.unwrap(),
            record("222222222222", "theirs")
        );
    }
}

#[tokio::test]
async fn damage_is_named_and_never_written_over() {
    let bucket = Arc::new(Bucket::default());
    let store = open(bucket.clone(), Manual::new()).await;
    store
        .put_account(&record("222222222222", "run"))
        .await
        .unwrap();
    store
        .put_account(&record("333333333333", "run"))
        .await
        .unwrap();

    let key = "accounts/222222222222.json";
    bucket.change(key, |bytes| {
        *bytes = String::from_utf8_lossy(bytes)
            .replace("3600", "7200")
            .into_bytes();
    });
    let fresh = open(bucket.clone(), Manual::new()).await;
    let error = fresh.account(account("222222222222")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("s3://bucket/accounts/222222222222.json` is damaged"),
        "{error}"
    );
    assert_eq!(
        fresh
            .put_account(&record("222222222222", "run"))
            .await
            .unwrap_err(),
        error
    );

    let other = bucket.objects.lock().unwrap()["accounts/333333333333.json"]
        .0
        .clone();
    bucket.change(key, |bytes| *bytes = other);
    let error = fresh.account(account("222222222222")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it is the record of account 333333333333"),
        "{error}"
    );

    bucket.change(key, |bytes| {
        *bytes = String::from_utf8_lossy(bytes)
            .replace("-state/1", "-state/2")
            .into_bytes();
    });
    let error = fresh.account(account("222222222222")).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");

    bucket.objects.lock().unwrap().remove("state.json");
    for access in [Access::Read, Access::Write] {
        let error = Store::open(bucket.clone(), identity(), access)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`s3://bucket/state.json` is damaged: it is missing"),
            "{error}"
        );
    }
    assert!(!bucket.keys().contains(&"state.json".to_owned()));
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("deep/state");
    let store = open(Arc::new(Directory::new(&root)), Manual::new()).await;
    store
        .put_account(&record("222222222222", "run"))
        .await
        .unwrap();
    store
        .begin(&header("run"))
        .await
        .unwrap()
        .append(step(0))
        .await
        .unwrap();
    let mode = |path: &str| {
        std::fs::metadata(root.join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    for path in ["", "accounts", "runs"] {
        assert_eq!(mode(path), 0o700, "{path}");
    }
    for path in ["state.json", "accounts/222222222222.json", "runs/run.jsonl"] {
        assert_eq!(mode(path), 0o600, "{path}");
    }
    let left = std::fs::read_dir(root.join("accounts")).unwrap().count();
    assert_eq!(left, 1, "no temporary file stays");
}
