//! Leases: exactly one holder, whatever happens to it.

use futures_util::FutureExt as _;

use super::super::lease::Kept;
use super::*;

const TTL: u64 = 60;

fn settings(run: &str, wait: u64) -> LeaseSettings {
    LeaseSettings {
        holder: "alice".to_owned(),
        host: "laptop".to_owned(),
        run: run.to_owned(),
        ttl: Duration::from_secs(TTL),
        lock_timeout: Duration::from_secs(wait),
    }
}

/// Who holds the lease when it is refused.
#[track_caller]
fn held(result: Result<Lease, LeaseError>) -> Holder {
    match result {
        Err(LeaseError::Held { holder, .. }) => *holder,
        other => panic!("{other:?}"),
    }
}

/// A bucket and two who want it, with one clock.
async fn bucket() -> (Arc<Bucket>, Arc<Manual>, Store, Store) {
    let (bucket, clock) = (Arc::new(Bucket::default()), Manual::new());
    let one = open(bucket.clone(), clock.clone()).await;
    let other = open(bucket.clone(), clock.clone()).await;
    (bucket, clock, one, other)
}

/// The answer to a lease that is asked for while time passes.
async fn asked(store: &Store, settings: LeaseSettings, clock: &Manual, seconds: u64) -> Result<Lease, LeaseError> {
    let store = store.clone();
    let asking = tokio::spawn(async move { store.lease(settings).await });
    tokio::task::yield_now().await;
    clock.pass(seconds).await;
    assert!(asking.is_finished(), "no answer after {seconds} s");
    asking.await.unwrap()
}

#[tokio::test]
async fn of_many_who_ask_at_once_exactly_one_gets_it() {
    let (_directory, stores) = both().await;
    for store in stores {
        let asked = (0..16).map(|n| store.lease(settings(&format!("run-{n}"), 0)).boxed());
        let answers = futures_util::future::join_all(asked).await;
        let (got, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(got.len(), 1);
        for refusal in refused {
            let text = refusal.unwrap_err().to_string();
            for word in ["alice", "laptop", "run-0", &std::process::id().to_string(), "since 2026-01-01T00:00:00"] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
        for lease in got {
            lease.unwrap().release().await.unwrap();
        }
        store.lease(settings("after", 0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_lives_as_long_as_it_is_renewed_and_says_until_when() {
    let (_bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0)).await.unwrap();
    clock.pass(10 * TTL).await;
    let holder = held(other.lease(settings("other", 0)).await);
    let until: Timestamp = holder.until.unwrap().parse().unwrap();
    let left = until.duration_since(clock.now()).as_secs();
    assert!(holder.run == "one" && (TTL / 2..=TTL).contains(&u64::try_from(left).unwrap()), "{left}");
    assert!(!lease.lost().is_cancelled());
    drop(lease);
    clock.pass(1).await;
    other.lease(settings("other", 0)).await.unwrap();
}

#[tokio::test]
async fn a_lease_left_behind_is_taken_after_it_has_run_out_and_not_before() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("dead", 0)).await.unwrap();
    let Kept::Renewed { task, .. } = &lease.kept else { panic!("{lease:?}") };
    task.abort();
    clock.pass(TTL - 1).await;
    assert_eq!(held(other.lease(settings("early", 0)).await).run, "dead");
    clock.pass(2).await;
    let taken = asked(&other, settings("heir", 0), &clock, TTL / 2 + 1).await.unwrap();
    assert_eq!(held(one.lease(settings("late", 0)).await).run, "heir");
    taken.release().await.unwrap();
    assert!(String::from_utf8_lossy(&bucket.objects.lock().unwrap()["lease.json"].0).contains(r#""claim":null"#));
}

#[tokio::test]
async fn a_holder_whose_clock_is_behind_is_not_robbed() {
    let (bucket, clock, one, _) = bucket().await;
    let lease = one.lease(settings("behind", 0)).await.unwrap();
    let ahead = Manual::new();
    ahead.pass(10 * TTL).await;
    let other = open(bucket, ahead.clone()).await;
    let asking = tokio::spawn(async move { other.lease(settings("ahead", 0)).await });
    for _ in 0..=TTL {
        clock.pass(1).await;
        ahead.pass(1).await;
    }
    assert!(!asking.is_finished() && !lease.lost().is_cancelled());
    asking.abort();
}

#[tokio::test]
async fn whoever_cannot_renew_in_time_is_told_to_stop_before_anybody_else_may_start() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("cut-off", 0)).await.unwrap();
    bucket.vanish(true);
    clock.pass(TTL - 1).await;
    assert!(!lease.lost().is_cancelled());
    clock.pass(1).await;
    assert!(lease.lost().is_cancelled());
    bucket.vanish(false);
    lease.release().await.unwrap();
    clock.pass(1).await;
    asked(&other, settings("next", 0), &clock, TTL / 2 + 1).await.unwrap();
}

#[tokio::test]
async fn a_short_absence_of_the_bucket_loses_no_lease() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0)).await.unwrap();
    bucket.vanish(true);
    clock.pass(TTL / 2).await;
    bucket.vanish(false);
    clock.pass(TTL).await;
    assert!(!lease.lost().is_cancelled());
    assert_eq!(held(other.lease(settings("other", 0)).await).run, "one");
}

#[tokio::test]
async fn whoever_waits_gets_it_when_it_is_given_back() {
    let (_bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0)).await.unwrap();
    let holder = held(asked(&other, settings("impatient", 5), &clock, 6).await);
    assert_eq!(holder.run, "one");
    let waiting = tokio::spawn(async move { other.lease(settings("patient", 600)).await });
    clock.pass(3).await;
    lease.release().await.unwrap();
    clock.pass(2).await;
    assert!(waiting.is_finished());
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lease_that_was_taken_away_is_lost_to_its_holder() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0)).await.unwrap();
    assert!(matches!(other.unlock(Unlock::Expired).await.unwrap(), Unlocked::Held(holder) if holder.run == "one"));
    assert!(matches!(other.unlock(Unlock::Any).await.unwrap(), Unlocked::Taken(holder) if holder.run == "one"));
    assert_eq!(other.unlock(Unlock::Any).await.unwrap(), Unlocked::Free);
    clock.pass(TTL / 2).await;
    assert!(lease.lost().is_cancelled());

    let dead = other.lease(settings("dead", 0)).await.unwrap();
    let Kept::Renewed { task, .. } = &dead.kept else { panic!("{dead:?}") };
    task.abort();
    clock.pass(TTL + 1).await;
    assert!(matches!(one.unlock(Unlock::Expired).await.unwrap(), Unlocked::Taken(holder) if holder.run == "dead"));

    bucket.change("lease.json", |bytes| bytes.truncate(20));
    assert!(one.unlock(Unlock::Expired).await.is_err() && one.lease(settings("x", 0)).await.is_err());
    assert!(matches!(one.unlock(Unlock::Any).await.unwrap(), Unlocked::Taken(_)));
    one.lease(settings("x", 0)).await.unwrap();
}

#[tokio::test]
async fn a_lock_ends_with_its_file_and_cannot_be_forced() {
    let (_directory, [store, _]) = both().await;
    assert_eq!(store.unlock(Unlock::Expired).await.unwrap(), Unlocked::Free);
    let lease = store.lease(settings("one", 0)).await.unwrap();
    assert!(matches!(store.unlock(Unlock::Any).await.unwrap(), Unlocked::Held(holder) if holder.run == "one"));
    drop(lease);
    assert_eq!(store.unlock(Unlock::Expired).await.unwrap(), Unlocked::Free);
    store.lease(settings("two", 0)).await.unwrap().release().await.unwrap();
}
