//! Which programs asked, in which version, as they say themselves.

use super::capped::{Capped, Kept, Sum};
use crate::event::Text;
use crate::hash;

/// Requests of one program in one version.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// How many.
    pub requests: u64,
    /// By whom.
    pub users: Distinct,
}

impl Sum for Client {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.users.add(other.users);
    }
}

/// How many different names there are, up to [`Distinct::MOST`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distinct(Vec<u64>);

impl Distinct {
    /// Beyond it names are no longer told apart.
    pub const MOST: usize = 64;

    /// Takes a name into account.
    pub fn observe(&mut self, name: &[u8]) {
        self.insert(hash::for_samples(name));
    }

    fn insert(&mut self, hash: u64) {
        if let Err(at) = self.0.binary_search(&hash)
            && at <= Self::MOST
        {
            self.0.insert(at, hash);
            self.0.truncate(Self::MOST + 1);
        }
    }

    /// How many; one more than [`Distinct::MOST`] stands for that or any greater number.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sum for Distinct {
    fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|hash| self.insert(hash));
    }
}

/// So many programs and versions are told apart.
pub const LIMIT: usize = 1024;

/// Program and version of a user agent: what stands before and behind the first slash, as far as the
/// first space. Programs without a version are one that has none.
pub fn name(user_agent: Option<Text<'_>>, out: &mut Vec<u8>) {
    out.clear();
    let text = user_agent.map(Text::decode).unwrap_or_default();
    let product = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let mut parts = product.splitn(2, |byte| *byte == b'/');
    out.extend_from_slice(parts.next().unwrap_or_default());
    out.push(0);
    out.extend_from_slice(parts.next().unwrap_or_default());
}

/// One row of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// The program; none where requests have no user agent.
    pub component: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Different users among them.
    pub users: usize,
}

/// The clients, most requests first; and those beyond what is told apart, together.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Clients {
    /// The rows.
    pub rows: Vec<ClientRow>,
    /// Requests of all other programs.
    pub others: u64,
}

/// The answer.
pub fn rows(clients: Capped<Client>) -> Clients {
    let Kept { entries, rest } = clients.finish();
    let mut rows: Vec<ClientRow> = entries
        .into_iter()
        .filter(|(_, client)| client.requests > 0)
        .map(|(name, client)| row(&name, &client))
        .collect();
    rows.sort_by(|a, b| (b.requests, &a.component, &a.version).cmp(&(a.requests, &b.component, &b.version)));
    Clients { rows, others: rest.map_or(0, |rest| rest.requests) }
}

fn row(name: &[u8], client: &Client) -> ClientRow {
    let mut parts = name.splitn(2, |byte| *byte == 0);
    let mut next = || {
        let part = parts.next().unwrap_or_default();
        (!part.is_empty()).then(|| String::from_utf8_lossy(part).into_owned())
    };
    ClientRow { component: next(), version: next(), requests: client.requests, users: client.users.len() }
}

impl Clients {
    /// The versions of the API server itself, as its requests to itself tell.
    pub fn server_versions(&self) -> Vec<&str> {
        let own = self.rows.iter().filter(|row| row.component.as_deref() == Some("kube-apiserver"));
        own.filter_map(|row| row.version.as_deref()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_versions() {
        let mut clients: Capped<Client> = Capped::new(LIMIT);
        let mut scratch = Vec::new();
        let agents = [
            Some("kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07"),
            Some("kubectl/v1.32.4 (darwin/arm64) kubernetes/4cb5f07"),
            Some("kube-apiserver/v1.36.2 (linux/amd64) kubernetes/8e16b12"),
            Some("curl"),
            None,
        ];
        for (agent, user) in agents.into_iter().zip(["a", "b", "c", "a", "a"]) {
            name(agent.map(Text::from), &mut scratch);
            let place = clients.place(&scratch);
            let client = clients.get_mut(place).unwrap();
            client.requests += 1;
            client.users.observe(user.as_bytes());
        }
        let answer = rows(clients);
        assert_eq!(answer.server_versions(), ["v1.36.2"]);
        let first = &answer.rows[0];
        assert_eq!((first.component.as_deref(), first.version.as_deref()), (Some("kubectl"), Some("v1.32.4")));
        assert_eq!((first.requests, first.users), (2, 2));
        assert!(answer.rows.iter().any(|row| row.component.is_none()));
        assert!(answer.rows.iter().any(|row| row.component.as_deref() == Some("curl") && row.version.is_none()));
    }

    #[test]
    fn beyond_the_most_names_are_not_told_apart() {
        let mut many = Distinct::default();
        (0..1000u32).for_each(|n| many.observe(&n.to_le_bytes()));
        assert_eq!(many.len(), Distinct::MOST + 1);
        let mut backwards = Distinct::default();
        (0..1000u32).rev().for_each(|n| backwards.observe(&n.to_le_bytes()));
        assert_eq!(many, backwards);
    }
}
