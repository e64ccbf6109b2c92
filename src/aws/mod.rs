//! The only home of the AWS SDK.
