//! Templates, and what becomes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Input, Options, import};
use crate::config::{self, Inputs, Memory, NarrowScope};
use crate::desired::AccountDesired;
use crate::import::check::check;
use crate::import::draft::Draft;
use crate::import::report::{Class, Entry};
use crate::org::*;

mod doubts;
mod law;
mod shapes;

/// An import, and the text of its files.
pub struct Done {
    pub draft: Draft,
    pub entries: Vec<Entry>,
    pub files: BTreeMap<String, String>,
}

pub fn imported(texts: &[&str], options: &Options) -> Done {
    let inputs: Vec<Input> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| Input {
            file: format!("{at}.yaml"),
            text: (*text).to_owned(),
            ..Input::default()
        })
        .collect();
    let (mut draft, mut entries) = import(&inputs, options).unwrap();
    draft.name = "test".to_owned();
    let (emitted, refused) = check(&mut draft, None);
    entries.extend(refused);
    let files = emitted.files.into_iter();
    Done {
        draft,
        entries,
        files: files.map(|file| (file.path, file.text)).collect(),
    }
}

pub fn of(text: &str) -> Done {
    imported(&[text], &Options::default())
}

impl Done {
    /// The entries of a class: their codes and places.
    pub fn said(&self, class: Class) -> Vec<String> {
        let mut said: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| entry.class == class)
            .map(|entry| format!("{} {}", entry.code, entry.source))
            .collect();
        said.sort();
        said.dedup();
        said
    }

    #[track_caller]
    pub fn has(&self, file: &str, texts: &[&str]) -> &Self {
        let written = &self.files[file];
        for text in texts {
            assert!(written.contains(text), "no `{text}` in\n{written}");
        }
        self
    }

    /// What an account should hold, with these values of variables.
    pub fn expand(
        &self,
        vars: &[(String, String)],
        account: &str,
        partition: &str,
    ) -> Result<AccountDesired, String> {
        let mut files = Memory::default();
        for (path, text) in &self.files {
            files.write(Path::new("/d").join(path), text.as_str());
        }
        let mut inputs = Inputs::new(Arc::new(files), "/d");
        if self.files.contains_key("secrets.vars") {
            inputs.var_files.push("/d/secrets.vars".into());
        }
        inputs.vars = vars
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let config = config::load(&inputs).map_err(|problems| problems.to_string())?;
        let organization = organization(account, partition);
        let expansion = config
            .expand(&organization, &NarrowScope::default())
            .map_err(|problems| problems.to_string())?;
        let id = AccountId::parse(account).unwrap();
        let found = expansion.desired.accounts.get(&id).cloned();
        Ok(found.unwrap_or_default())
    }
}

pub const MANAGEMENT: &str = "900000000001";

/// The management account and one other.
pub fn organization(account: &str, partition: &str) -> Organization {
    let one = |id: &str, ou: &str| Account {
        id: AccountId::parse(id).unwrap(),
        name: format!("account-{id}"),
        email: String::new(),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath(ou.to_owned()),
        parents: vec!["r-abcd".to_owned(), "ou-abcd-11111111".to_owned()],
        joined: None,
        tags: Some(BTreeMap::new()),
    };
    let management = AccountId::parse(MANAGEMENT).unwrap();
    Organization {
        id: "o-exampleorgid".to_owned(),
        management_account: management,
        partition: Partition(partition.to_owned()),
        caller: Caller {
            account: management,
            arn: format!("arn:aws:iam::{MANAGEMENT}:user/x"),
        },
        units: BTreeMap::from([
            ("r-abcd".to_owned(), OuPath::default()),
            ("ou-abcd-11111111".to_owned(), OuPath("Work".to_owned())),
        ]),
        accounts: [one(MANAGEMENT, ""), one(account, "Work")]
            .into_iter()
            .map(|account| (account.id, account))
            .collect(),
    }
}
