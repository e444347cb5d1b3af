//! A headless Chromium, driven as WebDriver says.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::patience::{eventually, within};
use crate::rights::required;

/// Makes a missing browser a failure.
const REQUIRE: &str = "HERD_REQUIRE_BROWSER";

const DRIVER: &str = "chromedriver";

/// How often the browser's folder is removed at most, and the pause before the next time.
const REMOVALS_MAX: u32 = 200;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Whether tests of pages have to be left out, because there is no browser. Prints this, even where the test runner
/// hides the output of tests that pass. With `HERD_REQUIRE_BROWSER=1` it fails the test instead.
pub fn skipped() -> bool {
    let missing = if on_path(DRIVER).is_none() {
        DRIVER
    } else if browser().is_none() {
        BROWSERS[0]
    } else {
        return false;
    };
    if required(REQUIRE) {
        panic!("there is no {missing}, and {REQUIRE}=1 says that there must be");
    }
    // Not `eprintln!`, which the test runner catches.
    let _ = writeln!(
        std::io::stderr(),
        "tests of pages are skipped: there is no {missing} (Debian: chromium and chromium-driver)"
    );
    true
}

fn browser() -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| on_path(name))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// One browser with one window. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    folder: TempDir,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    /// Starts one, unless [`skipped`].
    pub async fn start() -> Browser {
        // The client wants to be able to encrypt. Fails if another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = match TempDir::with_prefix("herd-browser-") {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for the browser: {error}"),
        };
        let mut command = std::process::Command::new(DRIVER);
        command
            .arg("--port=0")
            // Profiles and sockets, which a browser that is killed leaves behind.
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // The browser is in it too, and ends with it.
            .process_group(0);
        let mut driver = match Command::from(command).kill_on_drop(true).spawn() {
            Ok(driver) => driver,
            Err(error) => panic!("cannot start {DRIVER}: {error}"),
        };
        let port = within("the driver listens", port_of(&mut driver)).await;
        let mut browser = Browser {
            driver,
            folder,
            http: client(),
            session: format!("http://127.0.0.1:{port}/session"),
        };
        let program = browser_program();
        let mut arguments = vec![
            "--headless=new",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--window-size=1280,800",
        ];
        // Chromium's sandbox refuses to work for root.
        if is_root() {
            arguments.push("--no-sandbox");
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": program, "args": arguments },
        } } });
        let session = browser.ask(Method::POST, "", capabilities).await;
        let Some(id) = session["sessionId"].as_str() else {
            panic!("the browser did not start: {session}");
        };
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Loads a page, and waits until it says that it is connected. A browser cancels a load when a network interface
    /// of this machine comes or goes, as those of containers do: then the page is loaded again.
    pub async fn open_live(&self, url: &str) {
        eventually(format!("{url} is live"), async || {
            self.open(url).await;
            for _ in 0..100 {
                if self.connection().await == "live" {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        })
        .await;
    }

    /// Loads a page. A script recognises a page that could not be loaded by its content.
    pub async fn open(&self, url: &str) {
        self.ask(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// The page's text about its connection.
    pub async fn connection(&self) -> String {
        let said = self
            .run("return document.documentElement.dataset.connection")
            .await;
        said.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a script in the page, and returns its result.
    pub async fn run(&self, script: &str) -> Value {
        let script = json!({ "script": script, "args": [] });
        self.ask(Method::POST, "/execute/sync", script).await
    }

    /// The text that an element shows; empty if there is no such element, or it is hidden.
    pub async fn text(&self, selector: &str) -> String {
        let selector = Value::from(selector);
        let script = format!(
            "const element = document.querySelector({selector});
             return element?.checkVisibility() ? element.innerText : ''"
        );
        let text = self.run(&script).await;
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Waits until an element shows such a text.
    pub async fn shows(&self, selector: &str, is_it: impl Fn(&str) -> bool) {
        let mut text = String::new();
        let what = format!("{selector} shows it");
        eventually(what, async || {
            text = self.text(selector).await;
            is_it(&text)
        })
        .await;
    }

    /// Presses and lifts the mouse over the middle of an element.
    pub async fn click(&self, selector: &str) {
        let selector = Value::from(selector);
        let script = format!(
            "const box = document.querySelector({selector}).getBoundingClientRect();
             return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]"
        );
        let at = self.run(&script).await;
        let actions = json!({ "actions": [{
            "type": "pointer",
            "id": "mouse",
            "parameters": { "pointerType": "mouse" },
            "actions": [
                { "type": "pointerMove", "duration": 0, "x": at[0], "y": at[1] },
                { "type": "pointerDown", "button": 0 },
                { "type": "pointerUp", "button": 0 },
            ],
        }] });
        self.ask(Method::POST, "/actions", actions).await;
    }

    /// Presses the mouse over the middle of an element, moves it by so many pixels, and lifts it.
    pub async fn drag(&self, selector: &str, (dx, dy): (i64, i64)) {
        let selector = Value::from(selector);
        let script = format!(
            "const box = document.querySelector({selector}).getBoundingClientRect();
             return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]"
        );
        let at = self.run(&script).await;
        let coordinate = |place: usize| at[place].as_i64().unwrap_or_default();
        let (x, y) = (coordinate(0), coordinate(1));
        let to = |x: i64, y: i64| json!({ "type": "pointerMove", "duration": 50, "x": x, "y": y });
        let actions = json!({ "actions": [{
            "type": "pointer",
            "id": "mouse",
            "parameters": { "pointerType": "mouse" },
            "actions": [
                to(x, y),
                { "type": "pointerDown", "button": 0 },
                to(x + dx / 2, y + dy / 2),
                to(x + dx, y + dy),
                { "type": "pointerUp", "button": 0 },
            ],
        }] });
        self.ask(Method::POST, "/actions", actions).await;
    }

    /// Types into the element with the focus. WebDriver's codes of keys are private characters.
    pub async fn press(&self, keys: &[char]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        self.ask(Method::POST, "/actions", actions).await;
    }

    /// A window as wide as a phone, or the usual one again.
    pub async fn be_phone(&self, phone: bool) {
        let (command, parameters) = if phone {
            let size =
                json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
            ("Emulation.setDeviceMetricsOverride", size)
        } else {
            ("Emulation.clearDeviceMetricsOverride", json!({}))
        };
        let body = json!({ "cmd": command, "params": parameters });
        self.ask(Method::POST, "/goog/cdp/execute", body).await;
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.http.request(method, &url);
        let request = request.header("content-type", "application/json");
        let request = request.body(body.to_string());
        let asking = async { request.send().await?.bytes().await };
        let reply = match within(format!("the driver answers {path}"), asking).await {
            Ok(reply) => reply,
            Err(error) => panic!("the driver does not answer {path}: {error}"),
        };
        let mut reply: Value = match serde_json::from_slice(&reply) {
            Ok(reply) => reply,
            Err(error) => panic!("the driver's answer to {path} is no JSON: {error}"),
        };
        let value = reply["value"].take();
        // The caller that waits for a page loads it again if the browser could not.
        if let Some(error) = value["error"].as_str()
            && path != "/url"
        {
            panic!("{path}: {error}: {}", value["message"]);
        }
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(id) = self.driver.id().and_then(|id| i32::try_from(id).ok()) {
            // Fails only if it has ended.
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        // A process that is being killed may still write; so its folder is removed until nothing is left.
        for _ in 0..REMOVALS_MAX {
            let _ = std::fs::remove_dir_all(self.folder.path());
            if !self.folder.path().exists() {
                return;
            }
            std::thread::sleep(REMOVAL_PAUSE);
        }
        let folder = self.folder.path().display();
        let _ = writeln!(std::io::stderr(), "{folder} could not be removed");
    }
}

fn client() -> reqwest::Client {
    match reqwest::Client::builder().no_proxy().build() {
        Ok(client) => client,
        Err(error) => panic!("no HTTP client: {error}"),
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn browser_program() -> PathBuf {
    match browser() {
        Some(program) => program,
        None => panic!("there is no {}", BROWSERS[0]),
    }
}

/// The port on which the driver says that it listens. Its later output is discarded.
async fn port_of(driver: &mut Child) -> u16 {
    let Some(stdout) = driver.stdout.take() else {
        panic!("{DRIVER} has no output");
    };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let after = line.split_once("started successfully on port ");
        let port = after.and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return port;
        }
    }
    panic!("{DRIVER} ended without a word of its port");
}
