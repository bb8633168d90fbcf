//! A request as the replay reads it: what it asks of the object, and what was answered.

use serde_json::Value;

use crate::event::parameter;

/// One request on the object, in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The verb of the event: `create`, `patch`.
    pub verb: String,
    /// The subresource of the event (`status`), empty for the object itself.
    pub subresource: String,
    /// The status code of the response, if it is known.
    pub code: Option<i32>,
    /// `requestObject`.
    pub request: Option<Value>,
    /// `responseObject`.
    pub response: Option<Value>,
    /// Who manages the fields, if that is known otherwise than by `fieldManager` in the query.
    pub manager: Option<String>,
    /// The query of the request (`fieldManager=x&dryRun=All`), or its whole URI.
    pub uri_query: String,
    /// When it was, as the object would have it (`2026-03-02T10:00:00Z`).
    pub time: Option<String>,
}

impl Step {
    /// Whether the response alone tells what became of the object and of who manages which fields, so that the
    /// request need not be read.
    pub fn response_is_enough(&self) -> bool {
        let managed = |object: &Value| object.pointer("/metadata/managedFields").is_some_and(Value::is_array);
        let applies = self.verb == "patch" && parameter(&self.uri_query, "fieldManager").is_some();
        matches!(self.verb.as_str(), "update" | "patch" | "create")
            && self.recorded().is_some_and(|object| managed(object) || self.verb != "create" && !applies)
    }

    /// What was sent.
    pub(super) fn body(&self) -> Option<&Value> {
        self.request.as_ref().filter(|body| !body.is_null())
    }

    pub(super) fn changes(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch")
    }

    /// Whether a request would change the object if it succeeded.
    pub(super) fn may_change(&self) -> bool {
        let creates = || matches!(self.subresource.as_str(), "" | "binding" | "scale" | "finalize");
        self.is_deletion() || matches!(self.verb.as_str(), "update" | "patch") || (self.verb == "create" && creates())
    }

    pub(super) fn is_deletion(&self) -> bool {
        matches!(
            (self.verb.as_str(), self.subresource.as_str()),
            ("delete" | "deletecollection", "") | ("create", "eviction")
        )
    }

    pub(super) fn is_dry_run(&self) -> bool {
        let in_body = self.delete_option("dryRun").filter(|_| self.is_deletion()).and_then(Value::as_array);
        in_body.is_some_and(|list| !list.is_empty())
            || parameter(&self.uri_query, "dryRun").is_some_and(|run| !run.is_empty())
    }

    /// Who manages the fields that it writes.
    pub(super) fn field_manager(&self) -> Option<String> {
        parameter(&self.uri_query, "fieldManager").or_else(|| self.manager.clone())
    }

    /// The object, if that is what was answered.
    pub(super) fn recorded(&self) -> Option<&Value> {
        let whole = matches!(
            (self.verb.as_str(), self.subresource.as_str()),
            ("create" | "update" | "patch" | "get" | "delete", "")
                | ("update" | "patch" | "get", "status" | "approval" | "finalize" | "ephemeralcontainers" | "resize")
        );
        let response = self.response.as_ref().filter(|_| whole)?;
        let kind = response.get("kind").and_then(Value::as_str).unwrap_or_default();
        let is_other =
            matches!(kind, "Status" | "Table" | "PartialObjectMetadata" | "Scale") || response.get("items").is_some();
        (!is_other && response.get("metadata").is_some_and(Value::is_object)).then_some(response)
    }

    /// The options of a deletion or eviction.
    fn delete_option(&self, name: &str) -> Option<&Value> {
        let request = self.request.as_ref()?;
        request.get("deleteOptions").unwrap_or(request).get(name)
    }

    pub(super) fn grace_period(&self) -> Option<Value> {
        let in_query = || parameter(&self.uri_query, "gracePeriodSeconds").and_then(|text| text.parse::<u64>().ok());
        self.delete_option("gracePeriodSeconds")
            .filter(|value| value.is_u64())
            .cloned()
            .or_else(|| in_query().map(Value::from))
    }

    pub(super) fn propagation(&self) -> Option<String> {
        let in_body = self.delete_option("propagationPolicy").and_then(Value::as_str).map(str::to_owned);
        in_body.or_else(|| parameter(&self.uri_query, "propagationPolicy"))
    }
}
