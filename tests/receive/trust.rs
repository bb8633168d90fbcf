//! Who may send: loopback, tokens, TLS and client certificates.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::{auditq, put, scratch};
use crate::webhook::{Client, Server, arguments, event, list, log};

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn without_the_token_nothing_is_taken() {
    let directory = scratch("receive-token");
    let own = Authority::new();
    let (certificate, key) = own.sign(ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = put(&directory, "tls.crt", certificate.as_bytes());
    let key = put(&directory, "tls.key", key.as_bytes());
    let token = put(&directory, "token", b"  s3cret\n");
    let out = directory.join("out");
    let server = Server::start(&out, &["--tls-cert", &certificate, "--tls-key", &key, "--token-file", &token]);
    let post = |headers: &str| {
        let mut client = connect(&server, &own, None);
        client.post_with(&list(&[event(1)]), headers).expect("an answer").0
    };
    assert_eq!(post(JSON), 401);
    assert_eq!(post(&format!("{JSON}Authorization: Bearer s3cre\r\n")), 401);
    assert_eq!(post(&format!("{JSON}Authorization: Basic s3cret\r\n")), 401);
    assert!(log(&out).is_empty());
    assert_eq!(post(&format!("{JSON}Authorization: Bearer s3cret\r\n")), 200);
    assert_eq!(log(&out), [event(1)]);
    let said = server.stop();
    assert!(said[0].ends_with("was refused: no token, or a wrong one"), "{said:?}");
    let empty = put(&directory, "empty", b" \n");
    let flags = ["--tls-cert", &certificate, "--tls-key", &key, "--token-file", &empty];
    let output = auditq(&arguments(&out, &flags), b"");
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.ends_with("and not empty\n"), "{}", output.stderr);
}

#[test]
fn elsewhere_than_on_loopback_it_wants_to_know_who_sends() {
    let out = scratch("receive-elsewhere").join("out");
    let out = out.to_str().expect("UTF-8");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        for flags in [&[][..], &["--tls-cert", "c", "--tls-key", "k"]] {
            let output = auditq(&[&["receive", "--listen", address, "--out", out], flags].concat(), b"");
            assert_eq!(output.code, Some(2), "{address} {flags:?}");
            assert!(output.stderr.contains("not a loopback address"), "{}", output.stderr);
        }
    }
    assert!(!Path::new(out).exists());
}

/// An authority and its certificate, in PEM.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for 127.0.0.1 and its key, in PEM.
    fn sign(&self, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A TLS connection that trusts `authority` and shows a certificate if it has one.
fn connect(
    server: &Server,
    authority: &Authority,
    own: Option<&(String, String)>,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
            )
            .expect("a certificate"),
    };
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(server.address).expect("a connection");
    Client::over(StreamOwned::new(connection, stream))
}

#[test]
fn with_client_certificates_only_those_of_the_authority_are_let_in() {
    let directory = scratch("receive-tls");
    let (own, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, key) = own.sign(ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = put(&directory, "tls.crt", certificate.as_bytes());
    let key = put(&directory, "tls.key", key.as_bytes());
    let authority = put(&directory, "clients.crt", clients.pem.as_bytes());
    let out = directory.join("out");
    let server = Server::start(&out, &["--tls-cert", &certificate, "--tls-key", &key, "--client-ca", &authority]);
    let body = list(&[event(1)]);
    assert!(connect(&server, &own, None).post(&body).is_err(), "no certificate");
    let stranger = strangers.sign(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(connect(&server, &own, Some(&stranger)).post(&body).is_err(), "a certificate of somebody else");
    assert!(connect(&server, &strangers, None).post(&body).is_err(), "the client does not trust it");
    assert!(Client::connect(server.address).and_then(|mut client| client.post(&body)).is_err(), "no TLS");
    assert!(log(&out).is_empty());
    let client = clients.sign(ExtendedKeyUsagePurpose::ClientAuth);
    let mut client = connect(&server, &own, Some(&client));
    assert_eq!(client.post(&body).expect("an answer").0, 200);
    assert_eq!(client.post(&list(&[event(2)])).expect("an answer on the same connection").0, 200);
    assert_eq!(log(&out), [event(1), event(2)]);
    let said = server.stop();
    assert!(said[0].starts_with("auditq: no TLS with 127.0.0.1:"), "{said:?}");
}
