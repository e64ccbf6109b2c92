//! Places that cannot be used.

use super::*;

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let error = Store::open(Arc::new(Directory::new(&file)), identity(), Access::Write)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("a-file"), "{error}");
    let proc = Store::open(
        Arc::new(Directory::new("/proc/state")),
        identity(),
        Access::Write,
    )
    .await
    .unwrap_err();
    assert!(
        matches!(proc, StoreError::Write { .. }) && proc.hint().unwrap().contains("--state"),
        "{proc}"
    );
    assert!(proc.to_string().contains("/proc/state"), "{proc}");
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_told_and_nothing_is_lost_by_it() {
    let bucket = Arc::new(Bucket::default());
    let store = open(bucket.clone(), Manual::new()).await;
    store
        .put_account(&record("222222222222", "before"))
        .await
        .unwrap();
    bucket.vanish(true);
    let error = Store::open(bucket.clone(), identity(), Access::Write)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read `s3://bucket/state.json`: no route to host"
    );
    let error = store
        .put_account(&record("222222222222", "during"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write `s3://bucket/accounts/222222222222.json`: no route to host"
    );
    bucket.vanish(false);
    assert_eq!(
        store.account(account("222222222222")).await.unwrap(),
        record("222222222222", "before")
    );
    store
        .put_account(&record("222222222222", "after"))
        .await
        .unwrap();
}
