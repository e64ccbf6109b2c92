//! Records of runs, whole and cut off.

use super::*;

async fn written(store: &Store, run: &str, entries: &[Entry]) {
    let log = store.begin(&header(run)).await.unwrap();
    for entry in entries {
        log.append(entry.clone()).await.unwrap();
    }
    log.close().await.unwrap();
}

fn events(record: &RunRecord) -> Vec<Entry> {
    record
        .entries
        .iter()
        .map(|logged| logged.entry.clone())
        .collect()
}

#[tokio::test]
async fn what_is_recorded_is_read_again_newest_run_first() {
    let (_directory, stores) = both().await;
    for store in stores {
        written(&store, "20260101T000000Z-1", &every_entry()).await;
        written(&store, "20260102T000000Z-1", &[step(0)]).await;
        let record = store.run("20260101T000000Z-1").await.unwrap();
        assert_eq!(
            (&record.header, events(&record)),
            (&header("20260101T000000Z-1"), every_entry())
        );
        assert_eq!(record.entries[0].at, "2026-01-01T00:00:00.000Z");
        assert!(record.finished && !store.run("20260102T000000Z-1").await.unwrap().finished);
        let runs = store.runs(20).await.unwrap();
        let runs: Vec<_> = runs
            .outlines
            .iter()
            .map(|run| (run.header.run.as_str(), run.finished))
            .collect();
        let finished = Some(RunSummary {
            failed: 1,
            ..RunSummary::default()
        });
        assert_eq!(
            runs,
            [
                ("20260102T000000Z-1", None),
                ("20260101T000000Z-1", finished)
            ]
        );
    }
}

#[tokio::test]
async fn there_is_no_run_of_another_id() {
    let (_directory, stores) = both().await;
    for store in stores {
        written(&store, "run", &[]).await;
        for id in ["other", "", "../state", "..", "a/b"] {
            assert!(
                matches!(store.run(id).await.unwrap_err(), StoreError::NoRun { .. }),
                "{id}"
            );
            assert!(
                id == "other" || store.begin(&header(id)).await.is_err(),
                "{id}"
            );
        }
        assert!(matches!(
            store.begin(&header("run")).await.unwrap_err(),
            StoreError::Conflict { .. }
        ));
    }
}

#[tokio::test]
async fn what_many_record_at_once_is_written_together() {
    let bucket = Arc::new(Bucket::default());
    let store = open(bucket.clone(), Manual::new()).await;
    let log = store.begin(&header("run")).await.unwrap();
    let appended = (0..500).map(|n| log.append(step(n)));
    futures_util::future::try_join_all(appended).await.unwrap();
    log.note(step(500));
    log.clone().close().await.unwrap();
    assert_eq!(
        events(&store.run("run").await.unwrap()),
        (0..=500).map(step).collect::<Vec<_>>()
    );
    let segments = bucket
        .keys()
        .iter()
        .filter(|key| key.starts_with("runs/run/"))
        .count();
    assert!(segments < 20, "{segments} segments");
}

#[tokio::test]
async fn a_record_cut_anywhere_in_its_last_line_is_read_up_to_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(Arc::new(Directory::new(directory.path())), Manual::new()).await;
    written(&store, "run", &[step(0), step(1)]).await;
    let path = directory.path().join("runs/run.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for end in last..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(events(&store.run("run").await.unwrap()), [step(0)], "{end}");
        assert_eq!(store.runs(20).await.unwrap().outlines.len(), 1);
    }
    // A file that was made longer before its bytes arrived.
    std::fs::write(&path, [&whole[..last], &[0; 100]].concat()).unwrap();
    assert_eq!(events(&store.run("run").await.unwrap()), [step(0)]);
    // Killed before the first line: such a run did nothing.
    std::fs::write(&path, &whole[..10]).unwrap();
    assert_eq!(store.runs(20).await.unwrap(), Runs::default());
    assert!(matches!(
        store.run("run").await.unwrap_err(),
        StoreError::NoRun { .. }
    ));
}

#[tokio::test]
async fn damage_in_the_middle_is_an_error_that_names_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(Arc::new(Directory::new(directory.path())), Manual::new()).await;
    written(&store, "run", &every_entry()).await;
    let path = directory.path().join("runs/run.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = |n: usize| {
        lines
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != n)
            .map(|(_, line)| *line)
            .collect()
    };
    let changes: [(&str, String, usize); 4] = [
        ("a word", whole.replacen("CreateRole", "DeleteRole", 1), 4),
        ("a line gone", without(2), 3),
        ("the header", whole.replacen("alice", "mallory", 1), 1),
        (
            "a line twice",
            lines[..3].concat() + &lines[2..].concat(),
            4,
        ),
    ];
    for (what, text, line) in changes {
        std::fs::write(&path, text).unwrap();
        let error = store.run("run").await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("runs/run.jsonl:{line}` is damaged")),
            "{what}: {error}"
        );
    }
}

#[tokio::test]
async fn a_missing_segment_is_damage_and_a_newer_format_is_told() {
    let bucket = Arc::new(Bucket::default());
    let store = open(bucket.clone(), Manual::new()).await;
    written(&store, "run", &[step(0), step(1), step(2)]).await;
    let removed = bucket
        .objects
        .lock()
        .unwrap()
        .remove("runs/run/00000002.jsonl")
        .unwrap();
    let error = store.run("run").await.unwrap_err().to_string();
    assert!(
        error.contains("`s3://bucket/runs/run/00000003.jsonl:1` is damaged"),
        "{error}"
    );
    bucket
        .objects
        .lock()
        .unwrap()
        .insert("runs/run/00000002.jsonl".to_owned(), removed);

    let mut chain = run::Chain::default();
    let line = chain
        .line(&json!({"format": "rolecall-state/7", "header": {"unheard": "of"}}))
        .unwrap();
    bucket.change("runs/run/00000001.jsonl", |bytes| {
        *bytes = line.into_bytes();
    });
    let runs = store.runs(20).await.unwrap();
    for error in [&store.run("run").await.unwrap_err(), &runs.unusable[0].1] {
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    }
}

#[tokio::test]
async fn once_a_write_failed_nothing_follows_it() {
    let bucket = Arc::new(Bucket::default());
    let store = open(bucket.clone(), Manual::new()).await;
    let log = store.begin(&header("run")).await.unwrap();
    log.append(step(0)).await.unwrap();
    bucket.vanish(true);
    let error = log.append(step(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write `s3://bucket/runs/run`: no route to host"
    );
    bucket.vanish(false);
    log.note(step(2));
    assert_eq!(log.append(step(3)).await.unwrap_err(), error);
    assert_eq!(log.close().await.unwrap_err(), error);
    assert_eq!(events(&store.run("run").await.unwrap()), [step(0)]);
}

#[tokio::test]
async fn the_last_of_many_runs_is_found_in_a_few_calls_wherever_it_lies() {
    for (days_ago, count, most) in [(0, 301, 3), (0, 2500, 3), (30, 301, 4), (400, 301, 5)] {
        let bucket = Arc::new(Bucket::default());
        let clock = Manual::new();
        let store = open(bucket.clone(), clock.clone()).await;
        let at = |days: i64| {
            let time = clock.now() - jiff::SignedDuration::from_hours(24 * days);
            time.strftime("%Y%m%dT000000Z-1").to_string()
        };
        for day in 0..count {
            store.begin(&header(&at(days_ago + day))).await.unwrap();
        }
        bucket.calls();
        assert_eq!(
            store.last_run().await.unwrap().unwrap().header.run,
            at(days_ago)
        );
        let calls = bucket.calls();
        assert!(calls <= most, "{days_ago}: {calls} calls");
        let runs = store.runs(20).await.unwrap();
        let more = usize::try_from(count).unwrap() - 20;
        assert_eq!(
            (
                runs.outlines.len(),
                runs.more,
                runs.outlines[0].header.run.clone()
            ),
            (20, more, at(days_ago))
        );
        let calls = bucket.calls();
        assert!(calls <= 1 + more / 1000 + 3 * 20, "{calls} calls");
    }
}

#[tokio::test]
async fn a_run_that_was_killed_before_it_began_is_not_the_last_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(Arc::new(Directory::new(directory.path())), Manual::new()).await;
    assert!(store.last_run().await.unwrap().is_none());
    written(&store, "20250101T000000Z-1", &[step(0)]).await;
    std::fs::write(
        directory.path().join("runs/20260101T000000Z-1.jsonl"),
        "{\"sha",
    )
    .unwrap();
    std::fs::write(directory.path().join("runs/20260102T000000Z-1.jsonl"), "").unwrap();
    assert_eq!(
        store.last_run().await.unwrap().unwrap().header.run,
        "20250101T000000Z-1"
    );
    let runs = store.runs(20).await.unwrap();
    assert_eq!((runs.outlines.len(), runs.unusable.len()), (1, 0));
}

#[tokio::test]
async fn a_damaged_record_hides_no_other() {
    let (_directory, stores) = both().await;
    for store in stores {
        for run in [
            "20260101T000000Z-1",
            "20260102T000000Z-1",
            "20260103T000000Z-1",
        ] {
            written(&store, run, &[step(0)]).await;
        }
        let parts = store.parts("20260102T000000Z-1").await.unwrap();
        let Object { bytes, version } = store.get(&parts[0]).await.unwrap().unwrap();
        let bytes = String::from_utf8(bytes)
            .unwrap()
            .replace("alice", "mallory")
            .into_bytes();
        store
            .backend
            .put(&parts[0], bytes, Condition::Version(version))
            .await
            .unwrap();
        let runs = store.runs(20).await.unwrap();
        let ids: Vec<&str> = runs
            .outlines
            .iter()
            .map(|run| run.header.run.as_str())
            .collect();
        assert_eq!(ids, ["20260103T000000Z-1", "20260101T000000Z-1"]);
        assert_eq!(runs.unusable[0].0, "20260102T000000Z-1");
        assert!(matches!(runs.unusable[0].1, StoreError::Damaged { .. }));
        assert_eq!(
            store.last_run().await.unwrap().unwrap().header.run,
            "20260103T000000Z-1"
        );
    }
}
