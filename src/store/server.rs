//! The server that is used, who connects to it as what, and the roles that it has to know.

use std::{fmt, path::Path};

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Executor, PgConnection, postgres::PgConnectOptions};

use super::{
    StoreError, Tell, connect_once,
    embedded::{self, Embedded},
    migrate::{self, Migration},
};
use crate::config;

/// The roles, for whoever may create them.
const ROLES: &str = include_str!("roles.sql");

/// A reachable PostgreSQL, embedded or named by `DATABASE_URL`.
#[derive(Clone)]
pub struct Server {
    /// Logs in to migrate; becomes `tcg_owner` at once.
    owner: PgConnectOptions,
    /// Logs in to run.
    service: PgConnectOptions,
    embedded: bool,
}

/// What `db status` tells about the server.
#[derive(Debug, Clone, serde::Serialize)]
pub struct About {
    pub version: String,
    pub database: String,
    pub role: String,
    pub embedded: bool,
    /// Where the server listens, without user and password.
    pub address: String,
}

impl Server {
    /// The server of `DATABASE_URL`, or else the embedded one, started if it does not run.
    ///
    /// # Errors
    /// The address is unreadable, or the embedded server cannot be installed or started.
    pub async fn find(database: &config::Database, home: &Path, tell: Tell<'_>) -> Result<Self, StoreError> {
        match &database.url {
            Some(url) => {
                let service = parse(url.expose_secret())?;
                let owner = database.owner_url.as_ref().map_or(Ok(service.clone()), |url| parse(url.expose_secret()))?;
                Ok(Self { owner, service, embedded: false })
            }
            None => Ok(Self::embedded(&Embedded::start(home, database.programs.as_deref(), tell).await?)),
        }
    }

    /// The database `tcgradar` of a running embedded server.
    pub fn embedded(server: &Embedded) -> Self {
        Self { owner: server.superuser(embedded::DATABASE), service: server.login(embedded::DATABASE), embedded: true }
    }

    /// The same server and roles, another database. Tests have one each.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        Self { owner: self.owner.clone().database(name), service: self.service.clone().database(name), embedded: self.embedded }
    }

    /// The same embedded server with a new, empty database of that name; an old one is dropped with all that it holds.
    ///
    /// # Errors
    /// The server is not our own, or does not answer.
    pub async fn fresh_database(&self, name: &'static str) -> Result<Self, StoreError> {
        if !self.embedded {
            return Err(StoreError::NotEmbedded);
        }
        let mut db = connect_once(&self.owner).await?;
        db.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
        db.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        Ok(self.with_database(name))
    }

    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    pub(super) fn owner_options(&self) -> &PgConnectOptions {
        &self.owner
    }

    pub(super) fn service_options(&self) -> &PgConnectOptions {
        &self.service
    }

    /// Brings the schema up, to `target` where given, else to the newest.
    ///
    /// # Errors
    /// The roles are missing and cannot be made, an applied migration was changed, or one fails (and is undone).
    pub async fn migrate(&self, target: Option<i64>, tell: Tell<'_>) -> Result<Vec<Migration>, StoreError> {
        let mut db = self.owner().await?;
        migrate::up(&mut db, target, tell).await?;
        migrate::list(&mut db).await
    }

    /// Takes migrations above `target` back, newest first.
    ///
    /// # Errors
    /// There is no such migration, or one cannot be taken back (and is left in place).
    pub async fn rollback(&self, target: i64, tell: Tell<'_>) -> Result<Vec<Migration>, StoreError> {
        let mut db = self.owner().await?;
        migrate::down(&mut db, target, tell).await?;
        migrate::list(&mut db).await
    }

    /// Every migration with its state, oldest first.
    ///
    /// # Errors
    /// The database does not answer, or holds a migration that this program does not know.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        let mut db = connect_once(&self.service).await?;
        if role_is_granted(&mut db, "tcg_service").await? {
            db.execute("SET ROLE tcg_service").await?;
        }
        migrate::list(&mut db).await
    }

    /// # Errors
    /// The database does not answer.
    pub async fn about(&self) -> Result<About, StoreError> {
        let mut db = connect_once(&self.service).await?;
        let row = sqlx::query!(
            r#"SELECT current_setting('server_version') AS "version!", current_database() AS "database!", session_user::text AS "role!""#
        )
        .fetch_one(&mut db)
        .await?;
        let address = match self.service.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.service.get_host(), self.service.get_port()),
        };
        Ok(About { version: row.version, database: row.database, role: row.role, embedded: self.embedded, address })
    }

    /// The address for `psql` and for the checked queries of the build. It holds no password: the embedded server asks for
    /// none, and one from `DATABASE_URL` is not repeated.
    pub fn url(&self, as_owner: bool) -> String {
        let options = if as_owner { &self.owner } else { &self.service };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => {
                format!("postgresql:///{database}?host={}&user={}", socket.display(), options.get_username())
            }
            None => format!("postgresql://{}@{}:{}/{database}", options.get_username(), options.get_host(), options.get_port()),
        }
    }

    /// A session as `tcg_owner`, with the roles made first where they are missing. One at a time in a database: two that
    /// grant at once fail with "tuple concurrently updated".
    pub(super) async fn owner(&self) -> Result<PgConnection, StoreError> {
        let mut db = connect_once(&self.owner).await?;
        db.execute("SELECT pg_advisory_lock(hashtext('tcg-radar schema'))").await?;
        if !(role_is_granted(&mut db, "tcg_owner").await? && owner_may_create(&mut db).await?) {
            make_roles(&mut db).await?;
        }
        db.execute("SET ROLE tcg_owner").await?;
        Ok(db)
    }
}

/// The connection options would print their passwords.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.url(false))
    }
}

async fn role_is_granted(db: &mut PgConnection, role: &str) -> Result<bool, StoreError> {
    // pg_has_role raises for a role that does not exist
    let granted = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')) AS "granted!""#,
        role
    );
    Ok(granted.fetch_one(db).await?)
}

async fn owner_may_create(db: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT has_schema_privilege('tcg_owner', 'public', 'CREATE') AS "may!""#).fetch_one(db).await?)
}

/// Runs `roles.sql` and grants the three roles to the session's own, so that it can become each.
async fn make_roles(db: &mut PgConnection) -> Result<(), StoreError> {
    const GRANT: &str = "DO $$ BEGIN IF NOT (SELECT rolsuper OR (pg_has_role(oid, 'tcg_owner', 'MEMBER') \
        AND pg_has_role(oid, 'tcg_service', 'MEMBER') AND pg_has_role(oid, 'tcg_tenant', 'MEMBER')) \
        FROM pg_roles WHERE rolname = session_user) THEN \
        EXECUTE format('GRANT tcg_owner, tcg_service, tcg_tenant TO %I', session_user); END IF; END $$";
    let outcome = async {
        db.execute(ROLES).await?;
        db.execute(GRANT).await
    }
    .await;
    match outcome {
        Ok(_) => Ok(()),
        // insufficient_privilege, or an admin option that is missing
        Err(sqlx::Error::Database(fault)) if fault.code().is_some_and(|code| code == "42501" || code == "0LP01") => {
            let role = sqlx::query_scalar!(r#"SELECT session_user::text AS "role!""#).fetch_one(db).await?;
            Err(StoreError::RolesMissing { role })
        }
        Err(error) => Err(error.into()),
    }
}

/// Prepares a new database of a server on which the session is superuser: the roles, and a login that owns nothing and
/// has no right until it becomes `tcg_service` or `tcg_tenant`.
pub(super) async fn prepare_embedded(server: &Embedded) -> Result<(), StoreError> {
    let mut db = connect_once(&server.superuser("postgres")).await?;
    let exists = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS "exists!""#, embedded::DATABASE);
    if !exists.fetch_one(&mut db).await? {
        db.execute(AssertSqlSafe(format!("CREATE DATABASE {}", embedded::DATABASE))).await?;
    }
    let mut db = connect_once(&server.superuser(embedded::DATABASE)).await?;
    db.execute(ROLES).await?;
    // last: a process that can log in finds everything else in place
    db.execute(AssertSqlSafe(format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{login}') THEN \
         CREATE ROLE {login} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS IN ROLE tcg_service, tcg_tenant; \
         END IF; END $$",
        login = embedded::LOGIN
    )))
    .await?;
    Ok(())
}

/// Accepts the guide's `postgresql+asyncpg://…?ssl=…` beside libpq's form.
fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let (scheme, rest) = url.split_once("://").ok_or(StoreError::BadAddress)?;
    let base = scheme.split('+').next().unwrap_or_default();
    if !matches!(base, "postgres" | "postgresql") {
        return Err(StoreError::BadAddress);
    }
    let rest = rest.replace("?ssl=", "?sslmode=").replace("&ssl=", "&sslmode=");
    let options: PgConnectOptions = format!("{base}://{rest}").parse().map_err(|_| StoreError::BadAddress)?;
    Ok(options.application_name("tcg-radar"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn the_guides_address_names_a_driver_that_we_drop() {
        let options = parse("postgresql+asyncpg://tcgradar:se%40cret@db.example:5433/radar?ssl=require").unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db.example", 5433));
        assert_eq!((options.get_username(), options.get_database()), ("tcgradar", Some("radar")));
        assert!(matches!(options.get_ssl_mode(), sqlx::postgres::PgSslMode::Require));
    }

    #[test]
    fn a_foreign_address_is_refused_without_being_repeated() {
        for url in ["mysql://u:hunter2@h/d", "localhost:5432", "postgresql://u:hunter2@h:notaport/d"] {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_that_is_shown_holds_no_password() {
        let options = parse("postgresql://tcgradar:hunter2@localhost/tcgradar").unwrap();
        let server = Server { owner: options.clone(), service: options, embedded: false };
        assert_eq!(server.url(false), "postgresql://tcgradar@localhost:5432/tcgradar");
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
