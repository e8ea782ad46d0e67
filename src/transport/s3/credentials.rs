//! Whose credentials a bucket is read with, and at which endpoint and region.
//!
//! The first of these that there is: the keychain's keys for the URL, the variables of the environment, the profile,
//! a role of the web identity or the container, the machine's role where that is asked for; else none, as public
//! data needs none. Nothing is asked of anyone here, and nothing is said that could hold a secret.

use object_store::aws::AwsCredential;
use url::Url;

use super::environment::Environment;
use super::profile::Profile;
use super::{S3Keys, S3Settings};

/// How a bucket is reached.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) keys: Keys,
    /// Whose keys they are, for people.
    pub(super) origin: String,
    pub(super) region: String,
    /// Without a slash at its end; Amazon's where there is none.
    pub(super) endpoint: Option<String>,
}

/// What requests are signed with, or who is to be asked for it.
#[derive(Debug)]
pub(super) enum Keys {
    /// Requests are not signed.
    None,
    /// Keys at hand.
    Pair(AwsCredential),
    /// A role that is given for a token in a file, by Amazon's STS or the service at `sts`.
    WebIdentity { token_file: String, role: String, session: Option<String>, sts: Option<String> },
    /// The role of a container, whose keys are at a path of the container service.
    Task { path: String },
    /// The role of a pod, whose keys are at a URL that is shown the token in a file.
    Pod { url: String, token_file: String },
    /// The role of the machine, from its metadata service or the one at `endpoint`.
    Instance { endpoint: Option<String> },
}

/// Settings by which a profile asks for what only Amazon's own programs do.
const FOREIGN: [&str; 5] =
    ["sso_session", "sso_start_url", "credential_process", "login_session", "role_arn"];

/// Finds out how a bucket is reached. The error is the reason.
pub(super) fn resolve(
    settings: &S3Settings,
    environment: &Environment,
    given: Option<&S3Keys>,
) -> Result<Access, String> {
    let given = given.filter(|_| !settings.anonymous);
    let asked = given.and_then(|keys| keys.profile.clone());
    let name = asked.or_else(|| environment.get("AWS_PROFILE")).unwrap_or_else(|| "default".into());
    let profile = Profile::read(environment, &name)?;
    let (keys, origin) = if settings.anonymous {
        (Keys::None, "a request without credentials".into())
    } else {
        match given {
            Some(given) => of_keychain(given, &name, profile.as_ref(), environment)?,
            None => of_environment(settings, &name, profile.as_ref(), environment)?,
        }
    };
    let setting = |own: &Option<String>, variables: [&str; 2], setting: &str| {
        own.clone()
            .or_else(|| variables.iter().find_map(|name| environment.get(name)))
            .or_else(|| profile.as_ref()?.get(setting))
    };
    let region = setting(&settings.region, ["AWS_REGION", "AWS_DEFAULT_REGION"], "region");
    let endpoint = setting(&settings.endpoint, ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "endpoint_url");
    let region = region.unwrap_or_else(|| "us-east-1".into());
    if !is_region(&region) {
        return Err("the S3 region is none, such as eu-west-1".into());
    }
    let endpoint = endpoint.map(|text| web_url(&text, "the S3 endpoint")).transpose()?;
    let endpoint = endpoint.map(|url| url.trim_end_matches('/').to_owned());
    Ok(Access { keys, origin, region, endpoint })
}

/// Whether a text may be part of a host's name and of a signature as a region.
pub(super) fn is_region(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

type Found = (Keys, String);

fn of_keychain(
    given: &S3Keys,
    name: &str,
    profile: Option<&Profile>,
    environment: &Environment,
) -> Result<Found, String> {
    let S3Keys { key, secret, token, profile: asked } = given;
    if !key.is_empty() && !secret.is_empty() {
        let pair = AwsCredential { key_id: key.clone(), secret_key: secret.clone(), token: token.clone() };
        return Ok((Keys::Pair(pair), "the keychain's keys".into()));
    }
    if asked.is_none() || !key.is_empty() || !secret.is_empty() {
        return Err("the keychain has not both an access key and its secret for it".into());
    }
    let profile = profile.ok_or_else(|| no_profile(name))?;
    of_profile(profile, name, environment)?.ok_or_else(|| format!("the AWS profile {name:?} has no keys"))
}

fn of_environment(
    settings: &S3Settings,
    name: &str,
    profile: Option<&Profile>,
    environment: &Environment,
) -> Result<Found, String> {
    let get = |name: &str| environment.get(name);
    if let (Some(key_id), Some(secret_key)) = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
        let pair = AwsCredential { key_id, secret_key, token: get("AWS_SESSION_TOKEN") };
        return Ok((Keys::Pair(pair), "the environment's keys".into()));
    }
    // The default profile may be of no use to dbag, and the data public; one that is named is meant to be used.
    let is_named = get("AWS_PROFILE").is_some();
    let of_profile = match profile {
        Some(profile) => of_profile(profile, name, environment),
        None if is_named => Err(no_profile(name)),
        None => Ok(None),
    };
    let useless = match of_profile {
        Ok(Some(found)) => return Ok(found),
        Err(reason) if is_named => return Err(reason),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    if let Some(found) = of_role(settings, environment)? {
        return Ok(found);
    }
    let origin = "a request without credentials";
    Ok((Keys::None, useless.map_or_else(|| origin.into(), |reason| format!("{origin} ({reason})"))))
}

fn no_profile(name: &str) -> String {
    format!("there is no AWS profile {name:?}")
}

/// The keys of a profile; `None` where it has nothing to do with any.
fn of_profile(profile: &Profile, name: &str, environment: &Environment) -> Result<Option<Found>, String> {
    let origin = format!("the keys of the AWS profile {name:?}");
    let get = |name: &str| profile.get(name);
    if let (Some(key_id), Some(secret_key)) = (get("aws_access_key_id"), get("aws_secret_access_key")) {
        let pair = AwsCredential { key_id, secret_key, token: get("aws_session_token") };
        return Ok(Some((Keys::Pair(pair), origin)));
    }
    if let (Some(token_file), Some(role)) = (get("web_identity_token_file"), get("role_arn")) {
        let (session, sts) = (get("role_session_name"), sts(environment)?);
        return Ok(Some((Keys::WebIdentity { token_file, role, session, sts }, origin)));
    }
    match FOREIGN.iter().find(|setting| get(setting).is_some()) {
        Some(setting) => Err(format!("dbag can't do what {setting} in the AWS profile {name:?} asks for")),
        None => Ok(None),
    }
}

/// The role that this process runs in, from variables that are set where it has one.
fn of_role(settings: &S3Settings, environment: &Environment) -> Result<Option<Found>, String> {
    let get = |name: &str| environment.get(name);
    if let (Some(token_file), Some(role)) = (get("AWS_WEB_IDENTITY_TOKEN_FILE"), get("AWS_ROLE_ARN")) {
        let (session, sts) = (get("AWS_ROLE_SESSION_NAME"), sts(environment)?);
        let keys = Keys::WebIdentity { token_file, role, session, sts };
        return Ok(Some((keys, "the keys of the web identity's role".into())));
    }
    if let Some(path) = get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path of a URL".into());
        }
        return Ok(Some((Keys::Task { path }, "the keys of the container's role".into())));
    }
    let pod = (get("AWS_CONTAINER_CREDENTIALS_FULL_URI"), get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    if let (Some(url), Some(token_file)) = pod {
        let url = web_url(&url, "AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
        return Ok(Some((Keys::Pod { url, token_file }, "the keys of the container's role".into())));
    }
    if settings.instance_metadata && !environment.is_true("AWS_EC2_METADATA_DISABLED") {
        let endpoint = get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let endpoint =
            endpoint.map(|text| web_url(&text, "AWS_EC2_METADATA_SERVICE_ENDPOINT")).transpose()?;
        let endpoint = endpoint.map(|url| url.trim_end_matches('/').to_owned());
        return Ok(Some((Keys::Instance { endpoint }, "the keys of the machine's role".into())));
    }
    Ok(None)
}

fn sts(environment: &Environment) -> Result<Option<String>, String> {
    let text = environment.get("AWS_ENDPOINT_URL_STS");
    text.map(|text| web_url(&text, "AWS_ENDPOINT_URL_STS")).transpose()
}

/// A URL that a request can be sent to as it is.
fn web_url(text: &str, what: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && is_bare && url.query().is_none()
    });
    // The text itself could hold a password.
    url.map(String::from).ok_or_else(|| format!("{what} is no http: or https: URL without user and query"))
}
