//! `receive`: flags as typed, and the checked configuration they make.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;

use super::config::Command;
use crate::event::Timestamp;
use crate::receive::kubeconfig::Target;
use crate::receive::{ReceiveConfig, Rotation, TlsFiles};
use crate::render::sanitize::text_for_terminal;

/// What one MiB is.
const MIB: u64 = 1 << 20;

pub(super) const RECEIVE_EXAMPLES: &str = "\
Examples:
  auditq receive --out /var/log/audit                                      for an API server on this machine
  auditq receive --print-kubeconfig > /etc/kubernetes/audit/webhook.yaml   what it must be told
  auditq receive --out /var/log/audit --listen 0.0.0.0:9880 --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt
  auditq summary /var/log/audit                                            what was received

On the API server: --audit-policy-file and --audit-webhook-config-file=/etc/kubernetes/audit/webhook.yaml";

#[derive(Args, Debug)]
pub(super) struct ReceiveArgs {
    /// Address and port to listen on; other than loopback it takes TLS, and a token or client certificates
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9880")]
    listen: SocketAddr,
    /// Directory to write audit.log and rotated files to; it is made if need be
    #[arg(long, value_name = "DIR", required_unless_present = "print_kubeconfig")]
    out: Option<PathBuf>,
    /// Longest body, in MiB; up to three times as much memory is used for bodies
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_body: u16,
    /// Answer before the events are on the disk: a crash of the machine can then lose some
    #[arg(long)]
    no_fsync: bool,
    /// Rotate audit.log before it grows beyond so many MiB; 0 is never
    #[arg(long, value_name = "MIB", default_value_t = 100, help_heading = "Rotation")]
    max_size: u32,
    /// Keep so many rotated files; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Rotation")]
    max_backups: usize,
    /// Delete rotated files that are older than so many days; 0 is never
    #[arg(long, value_name = "DAYS", default_value_t = 0, help_heading = "Rotation")]
    max_age: u32,
    /// Compress rotated files with gzip
    #[arg(long, help_heading = "Rotation")]
    compress: bool,
    /// The receiver's certificate, with those between it and its authority (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Authentication")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Authentication")]
    tls_key: Option<PathBuf>,
    /// Only take clients with a certificate of this authority (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Authentication")]
    client_ca: Option<PathBuf>,
    /// Only take requests that carry the bearer token in this file; with TLS only
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    token_file: Option<PathBuf>,
    /// Print the kubeconfig for --audit-webhook-config-file that fits the other flags, and exit
    #[arg(long, help_heading = "Kubeconfig")]
    print_kubeconfig: bool,
    /// Where the API server reaches the receiver, if not at the address of --listen
    #[arg(long, value_name = "URL", requires = "print_kubeconfig", help_heading = "Kubeconfig")]
    server: Option<String>,
    /// The authority of the receiver's certificate, as a path on the control plane node
    #[arg(long, value_name = "FILE", requires = "print_kubeconfig", help_heading = "Kubeconfig")]
    server_ca: Option<PathBuf>,
}

/// Checks the flags.
pub(super) fn receive(args: ReceiveArgs) -> Result<Command, String> {
    if args.token_file.is_some() && args.tls_cert.is_none() {
        // client-go leaves all credentials of a kubeconfig out, silently, unless its URL begins with `https`.
        return Err("--token-file: an API server sends its token over TLS only\n  \
                    help: give --tls-cert and --tls-key as well"
            .to_owned());
    }
    let guarded = args.tls_cert.is_some() && (args.client_ca.is_some() || args.token_file.is_some());
    if !guarded && !args.listen.ip().is_loopback() {
        return Err(format!(
            "--listen {}: not a loopback address, so anybody who reaches it could send false events\n  \
             help: give --tls-cert and --tls-key, and --client-ca or --token-file; or listen on 127.0.0.1",
            args.listen
        ));
    }
    if args.print_kubeconfig {
        return Ok(Command::Kubeconfig(target(&args)?));
    }
    let tls = args.tls_cert.zip(args.tls_key);
    Ok(Command::Receive(Box::new(ReceiveConfig {
        listen: args.listen,
        directory: args.out.unwrap_or_default(),
        rotation: Rotation {
            max_size: Some(u64::from(args.max_size) * MIB).filter(|&most| most > 0),
            max_backups: args.max_backups,
            max_age_days: args.max_age,
            compress: args.compress,
        },
        sync: !args.no_fsync,
        max_body: usize::from(args.max_body) << 20,
        tls: tls.map(|(cert, key)| TlsFiles { cert, key, client_ca: args.client_ca }),
        token_file: args.token_file,
        now,
    })))
}

fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_nanos_opt().unwrap_or_default())
}

/// What the kubeconfig must fit.
fn target(args: &ReceiveArgs) -> Result<Target, String> {
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let server = match &args.server {
        Some(url) if url.starts_with(&format!("{scheme}://")) => url.clone(),
        Some(url) => {
            return Err(format!(
                "--server {}: with these flags the receiver speaks {scheme}\n  help: give a URL that begins with {scheme}://",
                text_for_terminal(url)
            ));
        }
        None if args.listen.ip().is_unspecified() || args.listen.port() == 0 => {
            let hint = if args.tls_cert.is_some() { ", with a name that is in the certificate" } else { "" };
            return Err(format!(
                "--listen {}: says nothing about where the API server finds the receiver\n  \
                 help: give --server {scheme}://NAME:PORT/{hint}",
                args.listen
            ));
        }
        None => format!("{scheme}://{}/", args.listen),
    };
    let server_ca = args.server_ca.as_deref().map(Path::display).map(|path| path.to_string());
    Ok(Target { server, server_ca, client_cert: args.client_ca.is_some(), token: args.token_file.is_some() })
}
