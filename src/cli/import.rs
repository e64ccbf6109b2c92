//! The arguments of `rolecall import cloudformation` and `rolecall import terraform`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, which shows no backticks"
)]

use std::path::PathBuf;

use clap::Args;

use super::Format;

/// An import of CloudFormation templates.
#[derive(Debug, Clone, Args)]
pub struct CloudFormationArgs {
    /// The templates, JSON or YAML, or cdk.out directories; - reads standard input
    #[arg(required = true, value_name = "TEMPLATE")]
    pub templates: Vec<PathBuf>,
    /// The value of a parameter
    #[arg(long = "parameter", value_name = "K=V")]
    pub parameters: Vec<String>,
    /// A file of values of parameters: the AWS CLI's list, {"Parameters": {}} or a flat object
    #[arg(long, value_name = "FILE")]
    pub parameter_file: Option<PathBuf>,
    /// Put the given values in, and declare no variables for them
    #[arg(long)]
    pub resolve: bool,
    /// The name of the stack, as AWS::StackName
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// The account that the stack is in: an id, or management
    #[arg(long, value_name = "ID")]
    pub stack_account: Option<String>,
    /// The region of the stack; several make a copy of each role that has the region in its name
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Where the stack's roles go: all, account=ID, account=NAME, ou=PATH
    #[arg(long = "target", value_name = "SELECTOR")]
    pub targets: Vec<String>,
    /// The name of a role or policy that CloudFormation named
    #[arg(long = "role-name", value_name = "LOGICAL=NAME")]
    pub role_names: Vec<String>,
    /// Import this role though only the stack's own resources use it; services: all such roles
    #[arg(long, value_name = "services|LOGICAL")]
    pub include: Vec<String>,
    /// The file that holds the template of a nested stack
    #[arg(long, value_name = "URL=FILE")]
    pub nested: Vec<String>,
    /// Where to write it.
    #[command(flatten)]
    pub to: ImportTo,
}

/// An import of Terraform states.
#[derive(Debug, Clone, Args)]
pub struct TerraformArgs {
    /// The states; - reads standard input
    #[arg(required = true, value_name = "STATE")]
    pub states: Vec<PathBuf>,
    /// The account of a provider's alias
    #[arg(long = "account", value_name = "ALIAS=ID")]
    pub accounts: Vec<String>,
    /// Where to write it.
    #[command(flatten)]
    pub to: ImportTo,
}

/// Where an import is written.
#[derive(Debug, Clone, Args)]
pub struct ImportTo {
    /// The directory to write; a file that is there is never overwritten
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub out: PathBuf,
    /// The name of the directory: the ownership tag of everything it manages
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}
