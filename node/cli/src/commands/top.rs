//! `herd top`: `herd status`, again and again, in a terminal.

mod colour;
mod rates;
mod screen;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers};
use tokio::runtime::{self, Runtime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::rates::Rates;
use self::screen::Screen;
use super::interval::interval;
use super::report::complain;
use super::send::tls_options::TlsOptions;
use super::status::ask::ask_all;
use super::status::targets::{StatusTarget, TargetOptions};
use super::stop_signals::StopSignals;
use crate::exit_code;
use herd_server::access::Token;
use herd_server::settings::Environment;
use herd_server::status::comparison::{StatusAnswer, compare};
use herd_server::status::{MoreColumn, table};
use herd_text::printable::Printable;

/// The longest wait between two looks at keys, signals and answers.
const LOOK: Duration = Duration::from_millis(50);

/// Options of `herd top`.
#[derive(Debug, clap::Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    targets: TargetOptions,
    /// How often to ask, from 50ms to 1h
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
}

pub(super) fn run(args: &TopArgs) -> u8 {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        complain(
            "top needs a terminal for its keys and its picture; `herd status` prints the table once",
        );
        return exit_code::USAGE;
    }
    let (targets, token) = match args.targets.chosen(&Environment::of_process()) {
        Ok(chosen) => chosen,
        Err(mistake) => {
            complain(mistake);
            return exit_code::USAGE;
        }
    };
    let asked = Asked {
        targets,
        token,
        tls: args.targets.tls.clone(),
        interval: args.interval,
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let shown = runtime.and_then(|runtime| {
        let stop = stop_on_signal(&runtime)?;
        let mut screen = Screen::open()?;
        let shown = show(&runtime, &mut screen, &Arc::new(asked), &stop);
        drop(screen);
        runtime.shutdown_background();
        shown
    });
    match shown {
        Ok(()) => exit_code::OK,
        Err(error) => {
            complain(format_args!("cannot use the terminal: {error}"));
            exit_code::IO
        }
    }
}

/// Cancelled by SIGTERM, SIGINT and SIGHUP, so that the terminal is given back then too.
fn stop_on_signal(runtime: &Runtime) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut signals = {
        let _inside = runtime.enter();
        StopSignals::install()?
    };
    runtime.spawn(async move {
        signals.next().await;
        told.cancel();
    });
    Ok(stop)
}

/// Whom to ask, how, and how often.
struct Asked {
    targets: Vec<StatusTarget>,
    token: Option<Token>,
    tls: TlsOptions,
    interval: Duration,
}

fn show(
    runtime: &Runtime,
    screen: &mut Screen,
    asked: &Arc<Asked>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let ask = || {
        let asked = Arc::clone(asked);
        runtime
            .spawn(async move { ask_all(&asked.targets, asked.token.as_ref(), &asked.tls).await })
    };
    let interval = asked.interval;
    let mut asking = Some(ask());
    let mut next_ask = Instant::now() + interval;
    let mut rates = Rates::default();
    let mut answers = None;
    screen.draw(|_| "asking ...\n".to_owned())?;
    while !stop.is_cancelled() {
        let mut is_news = false;
        if let Some(asked) = asking.take_if(|asking| asking.is_finished()) {
            let asked = runtime.block_on(asked).map_err(io::Error::other)?;
            rates.note(&asked, Instant::now());
            answers = Some(asked);
            is_news = true;
        }
        if asking.is_none() && Instant::now() >= next_ask {
            asking = Some(ask());
            next_ask = Instant::now() + interval;
        }
        match screen.event(LOOK)? {
            Some(event) if is_end(&event) => return Ok(()),
            Some(Event::Resize(..)) => is_news = true,
            Some(_) | None => {}
        }
        if let Some(answers) = answers.as_ref().filter(|_| is_news) {
            screen.draw(|columns| picture(answers, &rates, interval, Some(columns)))?;
        }
    }
    Ok(())
}

/// The picture for a terminal of so many columns.
fn picture(
    answers: &[StatusAnswer],
    rates: &Rates,
    interval: Duration,
    columns: Option<usize>,
) -> String {
    let comparison = compare(answers);
    let interval = humantime::format_duration(interval);
    let head = format!(
        "herd top  {}  every {interval}, q ends\n\n",
        Printable(comparison.clusters.join(", ").as_bytes())
    );
    let more: [MoreColumn<'_>; 5] = [
        ("NEWS/S", &|server| rates.news(server)),
        ("CMD/S", &|server| rates.commands(server)),
        ("LATENCY", &|server| rates.latency(server)),
        ("CONNS", &|server| rates.connections(server)),
        ("MEMORY", &|server| rates.memory(server)),
    ];
    head + &table(&comparison, &more, columns)
}

/// `q`, Escape, or Ctrl-C, which is a key while the terminal is raw.
fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::screen::fit;
    use super::*;

    #[test]
    fn q_escape_and_ctrl_c_end_it() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(is_end(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(is_end(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(is_end(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!is_end(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!is_end(&Event::Resize(80, 24)));
    }

    #[test]
    fn a_herd_that_does_not_answer_fits_the_smallest_terminal() {
        let answers: Vec<StatusAnswer> = (0..30)
            .map(|server| StatusAnswer {
                at: format!("127.0.0.1:{server}"),
                name: Some(format!("server-{server}")),
                status: None,
                reached: false,
                error: Some("cannot connect: ".repeat(20)),
            })
            .collect();
        let text = picture(
            &answers,
            &Rates::default(),
            Duration::from_secs(1),
            Some(80),
        );
        let lines = fit(&text, 80, 24);
        assert_eq!(lines.len(), 24);
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        assert!(lines[0].contains("q ends"), "{lines:?}");
        assert!(lines[23].contains("more lines"), "{lines:?}");
    }
}
