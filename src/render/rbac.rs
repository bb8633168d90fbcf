//! Roles and bindings for people and programs: manifests as YAML.

use serde_json::Value;

use super::value::write_yaml;

/// Writes manifests as YAML documents. Whatever the log had for a name is quoted where it must be.
pub fn manifests(documents: impl IntoIterator<Item = Value>, out: &mut Vec<u8>) {
    for document in documents {
        write_yaml(document.to_string().as_bytes(), out);
    }
}
