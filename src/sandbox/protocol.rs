//! Requests and answers as they travel: the query protocol of IAM and STS, and JSON 1.1 of Organizations
//! and CloudTrail.
//!
//! Only what a call means is read from it: the service, the region and the access key from the credential scope
//! of `Authorization`, the operation from `Action` or `X-Amz-Target`, and the parameters. Signatures are not verified:
//! whoever knows an access key id is its holder.

use std::fmt::Write;

use super::wire::{ApiError, Params, Xml};

/// A request as it came in, HTTP left behind.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `X-Amz-Security-Token`.
    pub token: Option<String>,
    /// The header `X-Amz-Target`.
    pub target: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, ready for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The header `x-amzn-RequestId`.
    pub request_id: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// The answer with the second half of its body missing.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let half = self.body.len() / 2;
        let middle = (half..self.body.len())
            .find(|at| self.body.is_char_boundary(*at))
            .unwrap_or_default();
        self.body.truncate(middle);
        self
    }
}

/// A service that the sandbox knows, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Identity and Access Management.
    Iam,
    /// Security Token Service.
    Sts,
    /// Organizations.
    Organizations,
    /// CloudTrail.
    CloudTrail,
    /// Something that the sandbox does not speak.
    Other,
}

impl Service {
    /// What the names of its actions begin with in policies.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::CloudTrail => "cloudtrail",
            Self::Other => "other",
        }
    }

    /// Whether it speaks JSON 1.1, and not the query protocol.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Organizations | Self::CloudTrail)
    }

    /// The XML namespace of its answers, which holds the API's version.
    fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam | Self::Organizations | Self::CloudTrail | Self::Other => {
                "https://iam.amazonaws.com/doc/2010-05-08/"
            }
        }
    }
}

impl Request {
    /// The access key id and the service of the credential scope: `Credential=AKIA…/20260101/us-east-1/iam/aws4_request`.
    pub fn credential(&self) -> Option<(&str, Service)> {
        let (_, rest) = self.authorization.as_deref()?.split_once("Credential=")?;
        let mut scope = rest.split([',', ' ']).next()?.split('/');
        let key = scope.next()?;
        let service = match scope.nth(2)? {
            "iam" => Service::Iam,
            "sts" => Service::Sts,
            "organizations" => Service::Organizations,
            "cloudtrail" => Service::CloudTrail,
            _ => Service::Other,
        };
        Some((key, service))
    }

    /// The region of the credential scope; empty where there is none.
    pub fn region(&self) -> &str {
        let scope = self
            .authorization
            .as_deref()
            .and_then(|text| text.split_once("Credential="));
        scope
            .and_then(|(_, scope)| scope.split('/').nth(2))
            .unwrap_or_default()
    }

    /// The parameters of a query-protocol call; `Action` and `Version` are among them.
    pub fn params(&self) -> Params {
        Params(form_urlencoded::parse(&self.body).into_owned().collect())
    }

    /// The operation of a JSON call: what follows the last dot in `AWSOrganizationsV20161128.ListAccounts`, or in
    /// `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents`, of which some clients leave out the first part.
    pub fn json_operation(&self) -> Option<&str> {
        let (service, operation) = self.target.as_deref()?.rsplit_once('.')?;
        let known =
            service == "AWSOrganizationsV20161128" || service.ends_with("CloudTrail_20131101");
        known.then_some(operation)
    }
}

/// An answer of the query protocol.
pub fn xml_answer(
    service: Service,
    operation: &str,
    outcome: Result<Xml, ApiError>,
    request_id: String,
) -> Response {
    let namespace = service.namespace();
    let mut body = String::new();
    let status = match outcome {
        Ok(xml) => {
            let _ = write!(body, r#"<{operation}Response xmlns="{namespace}">"#);
            element(&mut body, &format!("{operation}Result"), &xml);
            let _ = write!(
                body,
                "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            );
            200
        }
        Err(error) => {
            let fault = if error.status < 500 {
                "Sender"
            } else {
                "Receiver"
            };
            let detail = Xml::Fields(vec![
                ("Type", Some(Xml::text(fault))),
                ("Code", Some(Xml::Text(error.code))),
                ("Message", Some(Xml::Text(error.message))),
            ]);
            let _ = write!(body, r#"<ErrorResponse xmlns="{namespace}">"#);
            element(&mut body, "Error", &detail);
            let _ = write!(body, "<RequestId>{request_id}</RequestId></ErrorResponse>");
            error.status
        }
    };
    Response {
        status,
        content_type: "text/xml",
        request_id,
        body,
    }
}

/// An answer of JSON 1.1.
pub fn json_answer(outcome: Result<serde_json::Value, ApiError>, request_id: String) -> Response {
    let (status, body) = match outcome {
        Ok(value) => (200, value),
        Err(error) => (
            error.status,
            serde_json::json!({ "__type": error.code, "Message": error.message }),
        ),
    };
    Response {
        status,
        content_type: "application/x-amz-json-1.1",
        request_id,
        body: body.to_string(),
    }
}

fn element(out: &mut String, name: &str, content: &Xml) {
    let _ = write!(out, "<{name}>");
    match content {
        Xml::Text(text) => out.push_str(&quick_xml::escape::escape(text)),
        Xml::Fields(fields) => {
            for (name, field) in fields {
                if let Some(field) = field {
                    element(out, name, field);
                }
            }
        }
        Xml::List(members) => members
            .iter()
            .for_each(|member| element(out, "member", member)),
    }
    let _ = write!(out, "</{name}>");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_scope_tells_key_and_service() {
        let scope = |text: &str| Request {
            authorization: Some(text.to_owned()),
            ..Request::default()
        };
        let request = scope(
            "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0",
        );
        assert_eq!(request.credential(), Some(("AKIAX", Service::Sts)));
        for bad in [
            "",
            "Bearer x",
            "AWS4-HMAC-SHA256 Credential=AKIAX",
            "Credential=AKIAX/2026",
        ] {
            assert_eq!(scope(bad).credential(), None, "{bad}");
        }
    }

    #[test]
    fn a_plus_in_a_form_is_a_space_and_an_encoded_plus_is_a_plus() {
        let request = Request {
            body: b"Action=CreateRole&RoleName=a%2Bb&Description=x+y".to_vec(),
            ..Request::default()
        };
        let params = request.params();
        assert_eq!(params.get("RoleName"), Some("a+b"));
        assert_eq!(params.get("Description"), Some("x y"));
    }

    #[test]
    fn xml_is_escaped_and_absent_fields_are_left_out() {
        let xml = Xml::Fields(vec![
            ("Description", Some(Xml::text("a<b>&\"c\"\r"))),
            ("Marker", None),
            ("Roles", Some(Xml::List(vec![Xml::text("x"), Xml::empty()]))),
        ]);
        let answer = xml_answer(Service::Iam, "GetRole", Ok(xml), "id".to_owned());
        assert_eq!(
            answer.body,
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult>\
             <Description>a&lt;b&gt;&amp;&quot;c&quot;&#13;</Description><Roles><member>x</member><member></member></Roles>\
             </GetRoleResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetRoleResponse>"
        );
    }

    #[test]
    fn an_error_names_its_side_code_and_request() {
        let answer = xml_answer(
            Service::Sts,
            "AssumeRole",
            Err(ApiError::new(503, "SlowDown", "a & b")),
            "id".to_owned(),
        );
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.body,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Receiver</Type>\
             <Code>SlowDown</Code><Message>a &amp; b</Message></Error><RequestId>id</RequestId></ErrorResponse>"
        );
        let answer = json_answer(
            Err(ApiError::new(400, "ParentNotFoundException", "no")),
            "id".to_owned(),
        );
        assert_eq!(
            answer.body,
            r#"{"__type":"ParentNotFoundException","Message":"no"}"#
        );
    }
}
