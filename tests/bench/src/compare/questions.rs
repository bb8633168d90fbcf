//! The questions, as each tool is asked them.
//!
//! auditq joins the stages of a request and counts requests; a query over lines counts lines. So
//! that both answer the same question, auditq is asked about single events wherever another tool
//! answers too ([`Question::as_lines`]); that is how its time is taken against that tool.
//!
//! Every tool is asked in the fastest way we know: only the fields in question, types given, nothing
//! sniffed, times compared as text, and no bodies printed.

use super::answer::Shape;
use super::command::Command;
use super::peers::{Peer, Road};

/// Who is looked for: the generator writes about five of these requests per gigabyte.
const RARE_USER: &str = "mallory@example.com";

/// Verbs and subresources whose duration says nothing about latency.
const LONG_VERBS: &str = "'watch', 'proxy'";
const LONG_SUBRESOURCES: &str = "'attach', 'exec', 'proxy', 'log', 'portforward'";

/// What is asked of a log of JSON lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// How often does each user do what, to which resource?
    GroupBy,
    /// What did one user delete?
    Rare,
    /// What happened to one resource within one percent of the time?
    Window {
        /// From here on.
        since: String,
        /// Before this.
        until: String,
    },
    /// How long did requests take, by verb and resource?
    Latency,
}

impl Question {
    /// auditq's arguments, as a person would type them.
    pub fn arguments(&self) -> Vec<&str> {
        match self {
            Question::GroupBy => vec!["summary", "--by", "user,verb,resource", "-o", "json"],
            Question::Rare => vec!["query", "--user", RARE_USER, "--verb", "delete", "-o", "json"],
            Question::Window { since, until } => {
                vec!["query", "--since", since, "--until", until, "--resource", "configmaps", "-o", "json"]
            }
            Question::Latency => vec!["summary", "--by", "verb,resource", "-o", "json"],
        }
    }

    /// The flags that make auditq count what a query over lines counts.
    pub fn as_lines(&self) -> &'static [&'static str] {
        match self {
            // Percentiles of the final stage only, or the stages before it would count as well.
            Question::Latency => &["--stage", "ResponseComplete"],
            _ => &["--events"],
        }
    }

    /// What an answer looks like.
    pub fn shape(&self) -> Shape {
        match self {
            Question::GroupBy => Shape { keys: &["user", "verb", "resource"], measures: &["count"] },
            Question::Rare | Question::Window { .. } => Shape { keys: &["auditID", "stage"], measures: &[] },
            Question::Latency => Shape { keys: &["verb", "resource"], measures: &["count", "p50", "p90", "p99"] },
        }
    }

    /// The text that every line in question holds, for tools that count lines with a text.
    pub fn text(&self) -> Option<String> {
        match self {
            Question::GroupBy => Some("\"auditID\":\"".to_owned()),
            Question::Rare => Some(format!("\"verb\":\"delete\",\"user\":{{\"username\":\"{RARE_USER}\"")),
            Question::Window { .. } | Question::Latency => None,
        }
    }

    /// The program for jq.
    pub fn jq(&self) -> String {
        match self {
            // Ten times as fast as counting in an object, which jq copies for every line.
            Question::GroupBy => r#"[inputs | [.user.username // "", .verb // "", .objectRef.resource // ""]]
                | group_by(.)[] | {user: .[0][0], verb: .[0][1], resource: .[0][2], count: length}"#
                .to_owned(),
            Question::Rare => format!(
                r#"inputs | select(.user.username == "{RARE_USER}" and .verb == "delete") | {{auditID, stage}}"#
            ),
            Question::Window { since, until } => format!(
                r#"inputs | select(.stageTimestamp >= "{since}" and .stageTimestamp < "{until}"
                    and .objectRef.resource == "configmaps") | {{auditID, stage}}"#
            ),
            Question::Latency => jq_latency(),
        }
    }

    /// The query for DuckDB over the lines themselves.
    pub fn duckdb(&self, path: &str) -> String {
        let columns = match self {
            Question::GroupBy => {
                "verb: 'VARCHAR', user: 'STRUCT(username VARCHAR)', objectRef: 'STRUCT(resource VARCHAR)'"
            }
            Question::Rare => "auditID: 'VARCHAR', stage: 'VARCHAR', verb: 'VARCHAR', user: 'STRUCT(username VARCHAR)'",
            Question::Window { .. } => {
                "auditID: 'VARCHAR', stage: 'VARCHAR', stageTimestamp: 'VARCHAR', objectRef: 'STRUCT(resource VARCHAR)'"
            }
            Question::Latency => {
                "stage: 'VARCHAR', verb: 'VARCHAR', objectRef: 'STRUCT(resource VARCHAR, subresource VARCHAR)',
                    requestReceivedTimestamp: 'VARCHAR', stageTimestamp: 'VARCHAR'"
            }
        };
        self.sql(&format!("read_json('{}', format = 'newline_delimited', columns = {{{columns}}})", quoted(path)))
    }

    /// The query for DuckDB over what [`to_parquet`] made.
    pub fn parquet(&self, path: &str) -> String {
        self.sql(&format!("read_parquet('{}')", quoted(path)))
    }

    fn sql(&self, source: &str) -> String {
        match self {
            Question::GroupBy => format!(
                r#"SELECT coalesce("user".username, '') AS "user", coalesce(verb, '') AS verb,
                    coalesce(objectRef.resource, '') AS resource, count(*) AS count
                FROM {source} GROUP BY 1, 2, 3"#
            ),
            Question::Rare => format!(
                r#"SELECT auditID, stage FROM {source} WHERE "user".username = '{RARE_USER}' AND verb = 'delete'"#
            ),
            Question::Window { since, until } => format!(
                "SELECT auditID, stage FROM {source} WHERE stageTimestamp >= '{since}' AND stageTimestamp < '{until}'
                    AND objectRef.resource = 'configmaps'"
            ),
            Question::Latency => format!(
                "SELECT verb, resource, count, p[1] AS p50, p[2] AS p90, p[3] AS p99 FROM (
                    SELECT coalesce(verb, '') AS verb, coalesce(objectRef.resource, '') AS resource, count(*) AS count,
                        quantile_disc(CASE WHEN verb IN ({LONG_VERBS})
                            OR coalesce(objectRef.subresource, '') IN ({LONG_SUBRESOURCES}) THEN NULL
                            ELSE epoch_us(stageTimestamp::TIMESTAMP) - epoch_us(requestReceivedTimestamp::TIMESTAMP)
                        END, [0.5, 0.9, 0.99]) AS p
                    FROM {source} WHERE stage = 'ResponseComplete' GROUP BY 1, 2)"
            ),
        }
    }

    /// The query for ClickHouse. One `JSONExtract` of a named tuple from each line is twice as fast
    /// as its reader of JSON lines.
    pub fn clickhouse(&self, path: &str) -> String {
        let from = |fields: &str| {
            let path = quoted(path);
            format!(
                "(SELECT JSONExtract(line, 'Tuple({fields})') AS t FROM file('{path}', LineAsString, 'line String'))"
            )
        };
        match self {
            Question::GroupBy => format!(
                "SELECT t.user.username AS user, t.verb AS verb, t.objectRef.resource AS resource, count() AS count
                FROM {} GROUP BY 1, 2, 3",
                from("verb String, user Tuple(username String), objectRef Tuple(resource String)")
            ),
            Question::Rare => format!(
                "SELECT t.auditID AS auditID, t.stage AS stage FROM {}
                WHERE t.user.username = '{RARE_USER}' AND t.verb = 'delete'",
                from("auditID String, stage String, verb String, user Tuple(username String)")
            ),
            Question::Window { since, until } => format!(
                "SELECT t.auditID AS auditID, t.stage AS stage FROM {}
                WHERE t.stageTimestamp >= '{since}' AND t.stageTimestamp < '{until}' AND t.objectRef.resource = 'configmaps'",
                from("auditID String, stage String, stageTimestamp String, objectRef Tuple(resource String)")
            ),
            Question::Latency => clickhouse_latency(&from(
                "stage String, verb String, objectRef Tuple(resource String, subresource String),
                requestReceivedTimestamp String, stageTimestamp String",
            )),
        }
    }
}

fn jq_latency() -> String {
    let long_verbs = LONG_VERBS.replace('\'', "\"");
    let long_subresources = LONG_SUBRESOURCES.replace('\'', "\"");
    format!(
        r#"def us: (.[0:19] + "Z" | fromdate) * 1000000 + (.[20:26] | tonumber);
        def rank($q): if length == 0 then null else sort | .[(length * $q / 100 | ceil) - 1] end;
        [inputs | select(.stage == "ResponseComplete")
            | {{k: [.verb // "", .objectRef.resource // ""],
                l: (if ([.verb] | inside([{long_verbs}])) or ([.objectRef.subresource] | inside([{long_subresources}]))
                    then null else (.stageTimestamp | us) - (.requestReceivedTimestamp | us) end)}}]
        | group_by(.k)[] | .[0].k as $k | length as $n | [.[].l | values]
        | {{verb: $k[0], resource: $k[1], count: $n, p50: rank(50), p90: rank(90), p99: rank(99)}}"#
    )
}

/// ClickHouse takes the value at `floor(level * n)`, nearest rank the one at `ceil(level * n) - 1`;
/// the two differ only where the product is whole, so the levels are a hair smaller.
fn clickhouse_latency(source: &str) -> String {
    format!(
        "SELECT verb, resource, count, if(n = 0, NULL, p[1]) AS p50, if(n = 0, NULL, p[2]) AS p90,
            if(n = 0, NULL, p[3]) AS p99
        FROM (
            SELECT verb, resource, count() AS count, countIf(timed) AS n,
                quantilesExactIf(0.499999999, 0.899999999, 0.989999999)(us, timed) AS p
            FROM (
                SELECT t.verb AS verb, t.objectRef.resource AS resource,
                    verb NOT IN ({LONG_VERBS}) AND t.objectRef.subresource NOT IN ({LONG_SUBRESOURCES}) AS timed,
                    toUnixTimestamp64Micro(parseDateTime64BestEffort(t.stageTimestamp, 6, 'UTC'))
                    - toUnixTimestamp64Micro(parseDateTime64BestEffort(t.requestReceivedTimestamp, 6, 'UTC')) AS us
                FROM {source} WHERE t.stage = 'ResponseComplete')
            GROUP BY verb, resource)"
    )
}

/// The statement that makes Parquet of a log: everything in it, with types, as an archive would.
pub fn to_parquet(log: &str, parquet: &str) -> String {
    format!(
        "COPY (SELECT * FROM read_json('{}', format = 'newline_delimited', columns = {{
            level: 'VARCHAR', auditID: 'VARCHAR', stage: 'VARCHAR', requestURI: 'VARCHAR', verb: 'VARCHAR',
            user: 'STRUCT(username VARCHAR, uid VARCHAR, groups VARCHAR[], extra JSON)', impersonatedUser: 'JSON',
            sourceIPs: 'VARCHAR[]', userAgent: 'VARCHAR',
            objectRef: 'STRUCT(resource VARCHAR, namespace VARCHAR, name VARCHAR, uid VARCHAR, apiGroup VARCHAR,
                apiVersion VARCHAR, resourceVersion VARCHAR, subresource VARCHAR)',
            responseStatus: 'JSON', requestObject: 'JSON', responseObject: 'JSON',
            requestReceivedTimestamp: 'TIMESTAMP', stageTimestamp: 'TIMESTAMP', annotations: 'JSON'}}))
        TO '{}' (FORMAT parquet, COMPRESSION zstd)",
        quoted(log),
        quoted(parquet)
    )
}

/// The command that puts a query to DuckDB or ClickHouse and prints a JSON object per row.
pub fn engine(peer: Peer, road: Road, sql: &str) -> Command {
    match (peer, road) {
        (Peer::ClickHouse, Road::Program) => {
            Command::new("clickhouse", ["local", "--output-format", "JSONEachRow", "--query", sql])
        }
        (Peer::ClickHouse, Road::Module) => Command::new("python3", ["-c", CHDB, sql]).own_clock(),
        (_, Road::Program) => Command::new("duckdb", ["-jsonlines", "-c", sql]),
        (_, Road::Module) => Command::new("python3", ["-c", DUCKDB, sql]).own_clock(),
    }
}

const DUCKDB: &str = "\
import duckdb, json, sys, time
duckdb.execute('SET enable_progress_bar = false')
start = time.perf_counter()
answer = duckdb.execute(sys.argv[1])
names = [column[0] for column in answer.description]
rows = answer.fetchall()
print(f'seconds={time.perf_counter() - start}', file=sys.stderr)
for row in rows:
    print(json.dumps(dict(zip(names, row))))
";

const CHDB: &str = "\
import chdb, sys, time
start = time.perf_counter()
answer = chdb.query(sys.argv[1], 'JSONEachRow').bytes()
print(f'seconds={time.perf_counter() - start}', file=sys.stderr)
sys.stdout.buffer.write(answer)
";

fn quoted(path: &str) -> String {
    path.replace('\'', "''")
}
