//! Leases: exactly one holder, whatever happens to it, and whatever the clocks say.

use futures_util::FutureExt as _;

use super::super::lease::Kept;
use super::*;
use crate::execute::Why;

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

/// Ends a holder as `kill -9` does.
fn kill(lease: &Lease) {
    let Kept::Renewed { task, .. } = &lease.kept else {
        panic!("{lease:?}")
    };
    task.abort();
}

/// The answer to what is asked while time passes, and after how many seconds it came.
async fn answered<T: Send + 'static>(
    asking: impl Future<Output = T> + Send + 'static,
    clocks: &[&Manual],
    seconds: u64,
) -> (T, u64) {
    let asking = tokio::spawn(asking);
    for passed in 0..=seconds {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if asking.is_finished() {
            return (asking.await.unwrap(), passed);
        }
        for clock in clocks {
            clock.pass(1).await;
        }
    }
    panic!("no answer after {seconds} s");
}

/// The answer to a lease that is asked for while time passes.
async fn asked(
    store: &Store,
    settings: LeaseSettings,
    clock: &Manual,
    seconds: u64,
) -> Result<Lease, LeaseError> {
    let store = store.clone();
    answered(
        async move { store.lease(settings, quietly()).await },
        &[clock],
        seconds,
    )
    .await
    .0
}

/// The answer to an unlock while time passes.
async fn unlocked(store: &Store, unlock: Unlock, clocks: &[&Manual], seconds: u64) -> Unlocked {
    let store = store.clone();
    answered(
        async move { store.unlock(unlock, quietly()).await },
        clocks,
        seconds,
    )
    .await
    .0
    .unwrap()
}

/// A bucket, a holder, and someone else whose clock differs from the holder's by so many seconds.
async fn skewed(seconds: i64) -> (Arc<Bucket>, [Arc<Manual>; 2], Lease, Store) {
    let (bucket, clocks) = (Arc::new(Bucket::default()), [Manual::new(), Manual::new()]);
    clocks[1].set(seconds);
    let holder = open(bucket.clone(), clocks[0].clone()).await;
    let lease = holder
        .lease(settings("holder", 0), quietly())
        .await
        .unwrap();
    let other = open(bucket.clone(), clocks[1].clone()).await;
    (bucket, clocks, lease, other)
}

#[tokio::test]
async fn of_many_who_ask_at_once_exactly_one_gets_it() {
    let (_directory, stores) = both().await;
    for store in stores {
        let asked = (0..16).map(|n| {
            store
                .lease(settings(&format!("run-{n}"), 0), quietly())
                .boxed()
        });
        let answers = futures_util::future::join_all(asked).await;
        let (got, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(got.len(), 1);
        for refusal in refused {
            let text = refusal.unwrap_err().to_string();
            for word in [
                "alice",
                "laptop",
                "run-0",
                &std::process::id().to_string(),
                "since 2026-01-01T00:00:00",
            ] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
        for lease in got {
            lease.unwrap().release().await.unwrap();
        }
        store.lease(settings("after", 0), quietly()).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_lives_as_long_as_it_is_renewed_and_says_until_when() {
    let (_bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0), quietly()).await.unwrap();
    clock.pass(10 * TTL).await;
    let holder = held(other.lease(settings("other", 0), quietly()).await);
    let until: Timestamp = holder.until.unwrap().parse().unwrap();
    let left = until.duration_since(clock.now()).as_secs();
    assert!(
        holder.run == "one" && (TTL / 2..=TTL).contains(&u64::try_from(left).unwrap()),
        "{left}"
    );
    assert!(!lease.lost().is_cancelled());
    drop(lease);
    clock.pass(1).await;
    other.lease(settings("other", 0), quietly()).await.unwrap();
}

#[tokio::test]
async fn a_lease_left_behind_is_taken_after_it_has_run_out_and_not_before() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("dead", 0), quietly()).await.unwrap();
    kill(&lease);
    clock.pass(TTL - 1).await;
    assert_eq!(
        held(other.lease(settings("early", 0), quietly()).await).run,
        "dead"
    );
    clock.pass(2).await;
    let taken = asked(&other, settings("heir", 0), &clock, TTL + 1)
        .await
        .unwrap();
    assert_eq!(
        held(one.lease(settings("late", 0), quietly()).await).run,
        "heir"
    );
    taken.release().await.unwrap();
    assert!(
        String::from_utf8_lossy(&bucket.objects.lock().unwrap()["lease.json"].0)
            .contains(r#""claim":null"#)
    );
}

/// By how many seconds the clocks of two machines differ: the holder's is an hour behind, a little off, or an hour ahead.
const SKEWS: [i64; 5] = [3600, 50, 0, -50, -3600];

#[tokio::test]
async fn a_lease_that_is_renewed_is_refused_and_not_unlocked_whatever_the_clocks_say() {
    for skew in SKEWS {
        let (_bucket, [mine, theirs], lease, other) = skewed(skew).await;
        for _ in 0..3 {
            let asking = other.clone();
            let asking = async move { asking.lease(settings("other", 0), quietly()).await };
            let (answer, seconds) = answered(asking, &[&mine, &theirs], TTL / 3 + 2).await;
            assert_eq!(held(answer).run, "holder", "{skew}");
            // Where the clocks agree well enough nothing is waited for.
            assert!(
                skew.abs() > 50 || skew == 50 || seconds == 0,
                "{skew}: {seconds} s"
            );
            let unlocked = unlocked(&other, Unlock::Expired, &[&mine, &theirs], TTL / 3 + 2).await;
            assert!(
                matches!(unlocked, Unlocked::Held(holder) if holder.run == "holder"),
                "{skew}"
            );
        }
        assert!(!lease.lost().is_cancelled(), "{skew}");
    }
}

#[tokio::test]
async fn a_lease_that_a_killed_run_left_behind_is_taken_whatever_the_clocks_say() {
    for skew in SKEWS {
        let (_bucket, [mine, theirs], lease, other) = skewed(skew).await;
        kill(&lease);
        // Only where it is over by the clock, or the clock cannot be right, is it watched at once.
        for clock in [&mine, &theirs] {
            clock
                .pass(if skew.abs() < 3600 { TTL * 2 } else { 0 })
                .await;
        }
        let asking = async move { other.lease(settings("heir", 0), quietly()).await };
        let (answer, seconds) = answered(asking, &[&mine, &theirs], TTL + 2).await;
        answer.unwrap();
        // Its holder may believe for a whole life that it is alive, so it is not taken earlier.
        assert!(
            (TTL - 1..=TTL + 1).contains(&seconds),
            "{skew}: {seconds} s"
        );
    }
}

#[tokio::test]
async fn a_lease_whose_holder_cannot_renew_it_is_not_taken_before_the_holder_stops() {
    let (bucket, [mine, theirs], lease, other) = skewed(3600).await;
    mine.pass(TTL / 3 - 1).await;
    let asking = tokio::spawn(async move { other.lease(settings("other", 0), quietly()).await });
    theirs.pass(1).await;
    bucket.vanish_for_writers(true);
    while !lease.lost().is_cancelled() {
        assert!(!asking.is_finished());
        mine.pass(1).await;
        theirs.pass(1).await;
    }
    bucket.vanish_for_writers(false);
    for _ in 0..TTL {
        theirs.pass(1).await;
    }
    asking.await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_waits_says_for_what_and_how_long() {
    let (_bucket, [mine, theirs], lease, other) = skewed(3600).await;
    kill(&lease);
    let said = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&said);
    let asking = async move {
        let tell = move |wait: &Wait| telling.lock().unwrap().push(wait.to_string());
        other
            .lease(
                settings("heir", 0),
                Waiting {
                    tell: &tell,
                    ..quietly()
                },
            )
            .await
            .map(|lease| (lease, other))
    };
    let (lease, other) = answered(asking, &[&mine, &theirs], TTL + 2)
        .await
        .0
        .unwrap();
    let words =
        "waiting 60 s to see whether the lease of alice on laptop for run holder is still renewed";
    assert_eq!(*said.lock().unwrap(), [words]);
    said.lock().unwrap().clear();
    let telling = Arc::clone(&said);
    let asking = async move {
        let tell = move |wait: &Wait| telling.lock().unwrap().push(wait.to_string());
        other
            .lease(
                settings("third", 90),
                Waiting {
                    tell: &tell,
                    ..quietly()
                },
            )
            .await
    };
    let (answer, seconds) = answered(asking, &[&theirs], 95).await;
    assert_eq!((held(answer).run.as_str(), seconds), ("heir", 90));
    let said = said.lock().unwrap().clone();
    assert!(
        said.len() == 1 && said[0].contains("run heir since"),
        "{said:?}"
    );
    assert!(
        said[0].ends_with("; waiting at most 90 s for it to be released"),
        "{said:?}"
    );
    drop(lease);
}

#[tokio::test]
async fn of_two_who_watch_a_lease_one_takes_it_and_the_other_is_told_who() {
    let (bucket, [mine, theirs], lease, other) = skewed(3600).await;
    kill(&lease);
    let third = open(bucket, theirs.clone()).await;
    let asking = async move {
        tokio::join!(
            other.lease(settings("one", 0), quietly()),
            third.lease(settings("two", 0), quietly())
        )
    };
    let ((one, two), _) = answered(asking, &[&mine, &theirs], TTL + TTL / 3 + 4).await;
    let (got, refused, winner) = if one.is_ok() {
        (one, two, "one")
    } else {
        (two, one, "two")
    };
    got.unwrap();
    assert_eq!(held(refused).run, winner);
}

#[tokio::test]
async fn a_renewal_at_the_last_moment_is_one() {
    for skew in [3600, -3600] {
        let (bucket, [mine, theirs], lease, other) = skewed(skew).await;
        kill(&lease);
        bucket.overtake();
        let unlocked = unlocked(&other, Unlock::Expired, &[&mine, &theirs], TTL + 2).await;
        assert!(
            matches!(unlocked, Unlocked::Held(holder) if holder.run == "holder"),
            "{skew}"
        );
        bucket.overtake();
        let asking = async move { other.lease(settings("other", 0), quietly()).await };
        let (answer, _) = answered(asking, &[&mine, &theirs], TTL + 2).await;
        assert_eq!(held(answer).run, "holder", "{skew}");
    }
    // Whoever insists takes it all the same.
    let (bucket, _, lease, other) = skewed(0).await;
    bucket.overtake();
    assert!(matches!(
        other.unlock(Unlock::Any, quietly()).await.unwrap(),
        Unlocked::Taken(_)
    ));
    drop(lease);
}

#[tokio::test]
async fn a_wait_ends_when_the_run_is_halted() {
    let (_directory, stores) = both().await;
    for store in stores {
        let held = store.lease(settings("one", 0), quietly()).await.unwrap();
        let halt = Halt::default();
        let waiting = Waiting {
            halt: &halt,
            ..quietly()
        };
        let (answer, ()) = tokio::join!(store.lease(settings("two", 600), waiting), async {
            tokio::task::yield_now().await;
            halt.stop(Why::Interrupted);
        });
        assert!(matches!(answer, Err(LeaseError::Halted)), "{answer:?}");
        drop(held);
    }
}

#[tokio::test]
async fn whoever_cannot_renew_in_time_is_told_to_stop_before_anybody_else_may_start() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("cut-off", 0), quietly()).await.unwrap();
    bucket.vanish(true);
    clock.pass(TTL / 6 * 5 - 1).await;
    assert!(!lease.lost().is_cancelled());
    clock.pass(1).await;
    assert!(lease.lost().is_cancelled());
    bucket.vanish(false);
    lease.release().await.unwrap();
    // What is written says a little longer.
    clock.pass(TTL / 6 + 1).await;
    asked(&other, settings("next", 0), &clock, TTL + 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_short_absence_of_the_bucket_loses_no_lease() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0), quietly()).await.unwrap();
    bucket.vanish(true);
    clock.pass(TTL / 2).await;
    bucket.vanish(false);
    clock.pass(TTL).await;
    assert!(!lease.lost().is_cancelled());
    assert_eq!(
        held(other.lease(settings("other", 0), quietly()).await).run,
        "one"
    );
}

#[tokio::test]
async fn whoever_waits_gets_it_when_it_is_given_back() {
    let (_bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0), quietly()).await.unwrap();
    let holder = held(asked(&other, settings("impatient", 5), &clock, 6).await);
    assert_eq!(holder.run, "one");
    let waiting =
        tokio::spawn(async move { other.lease(settings("patient", 600), quietly()).await });
    clock.pass(3).await;
    lease.release().await.unwrap();
    clock.pass(2).await;
    assert!(waiting.is_finished());
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lease_that_was_taken_away_is_lost_to_its_holder() {
    let (bucket, clock, one, other) = bucket().await;
    let lease = one.lease(settings("one", 0), quietly()).await.unwrap();
    assert!(
        matches!(other.unlock(Unlock::Expired, quietly()).await.unwrap(), Unlocked::Held(holder) if holder.run == "one")
    );
    assert!(
        matches!(other.unlock(Unlock::Any, quietly()).await.unwrap(), Unlocked::Taken(holder) if holder.run == "one")
    );
    assert_eq!(
        other.unlock(Unlock::Any, quietly()).await.unwrap(),
        Unlocked::Free
    );
    clock.pass(TTL / 2).await;
    assert!(lease.lost().is_cancelled());

    let dead = other.lease(settings("dead", 0), quietly()).await.unwrap();
    kill(&dead);
    clock.pass(TTL + 1).await;
    let unlocked = unlocked(&one, Unlock::Expired, &[&clock], TTL + 1).await;
    assert!(matches!(unlocked, Unlocked::Taken(holder) if holder.run == "dead"));

    bucket.change("lease.json", |bytes| bytes.truncate(20));
    assert!(
        one.unlock(Unlock::Expired, quietly()).await.is_err()
            && one.lease(settings("x", 0), quietly()).await.is_err()
    );
    assert!(matches!(
        one.unlock(Unlock::Any, quietly()).await.unwrap(),
        Unlocked::Taken(_)
    ));
    one.lease(settings("x", 0), quietly()).await.unwrap();
}

#[tokio::test]
async fn a_lock_ends_with_its_file_and_cannot_be_forced() {
    let (_directory, [store, _]) = both().await;
    assert_eq!(
        store.unlock(Unlock::Expired, quietly()).await.unwrap(),
        Unlocked::Free
    );
    let lease = store.lease(settings("one", 0), quietly()).await.unwrap();
    assert!(
        matches!(store.unlock(Unlock::Any, quietly()).await.unwrap(), Unlocked::Held(holder) if holder.run == "one")
    );
    drop(lease);
    assert_eq!(
        store.unlock(Unlock::Expired, quietly()).await.unwrap(),
        Unlocked::Free
    );
    store
        .lease(settings("two", 0), quietly())
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
}

/// A machine that slept, and a clock that someone set: what counts is how long it has been.
#[tokio::test]
async fn the_end_of_a_lease_is_known_without_anybody_having_noticed_it() {
    for (set, slept, over) in [
        (-3600, 0, false),
        (3600, 0, false),
        (0, TTL / 4, false),
        (0, TTL, true),
        (-3600, TTL, true),
    ] {
        let (_bucket, clock, one, _) = bucket().await;
        let lease = one.lease(settings("one", 0), quietly()).await.unwrap();
        let deadline = lease.deadline().unwrap();
        clock.set(set);
        clock.suspend(slept);
        assert_eq!(
            deadline.left().is_zero(),
            over,
            "set by {set} s, asleep for {slept} s"
        );
        clock.pass(TTL).await;
        assert_eq!(
            lease.lost().is_cancelled(),
            over,
            "set by {set} s, asleep for {slept} s"
        );
    }
}
