//! What `oc adm must-gather` collects: a tree with files of several components and nodes, whole or as an archive.

use super::{Envelope, Line, Wrapped, batches};
use crate::common::gzip;

pub(crate) const ENVELOPES: &[Envelope] = &[
    batches("gather/tree", usize::MAX / 2, tree),
    batches("gather/tar", usize::MAX / 2, |events| one(tar(&tree(events).files), events)),
    batches("gather/tar-gz", usize::MAX / 2, |events| one(gzip(&tar(&tree(events).files)), events)),
];

const ROOT: &str = "must-gather.local.123/quay-io-example-sha256-abc/audit_logs";

/// Files in rotation order within a node; what is no log lies beside them.
fn tree(events: &[Line]) -> Wrapped {
    let parts: Vec<&[Line]> = events.chunks(events.len().div_ceil(5).max(1)).collect();
    let names = [
        "kube-apiserver/master-0-audit-2026-03-09T08-02-34.423.log.gz",
        "kube-apiserver/master-0-audit.log.gz",
        "kube-apiserver/master-1-audit.log.gz",
        "openshift-apiserver/master-0-audit.log.gz",
        "oauth-apiserver/master-2-audit.log.gz",
    ];
    let mut files: Vec<(String, Vec<u8>)> = names
        .iter()
        .zip(&parts)
        .map(|(name, part)| {
            let content: Vec<u8> = part.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
            (format!("{ROOT}/{name}"), gzip(&content))
        })
        .collect();
    let listing = "master-0 audit-2026-03-09T08-02-34.423.log\nmaster-0 audit.log\nmaster-1 audit.log\n";
    files.push((format!("{ROOT}/kube-apiserver.audit_logs_listing"), listing.as_bytes().to_vec()));
    files.push((format!("{ROOT}/kube-apiserver/.lock"), Vec::new()));
    files.push((format!("{ROOT}/kube-apiserver/master-0-.terminating"), b"kubelet\n".to_vec()));
    Wrapped { files, shuffled: true, ..Wrapped::exact(Vec::new(), events.to_vec()) }
}

fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).expect("memory takes all");
    }
    archive.into_inner().expect("memory takes all")
}

fn one(content: Vec<u8>, events: &[Line]) -> Wrapped {
    Wrapped { shuffled: true, ..Wrapped::exact(content, events.to_vec()) }
}
