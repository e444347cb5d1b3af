//! Applies the faults of the script to servers, and notes the interval of time of each.

use std::time::Duration;

use herd_integration_tests::history::{Cut, Fault, HarmKind, Scenario, ServerIndex};
use herd_integration_tests::{FakeClock, Herd, LoopDisk, Passage, Server};
use tokio::time::sleep_until;

use crate::books::Books;

/// The exit status of a server that found a newer process of its name: after its clock was set, it may have.
const SUPERSEDED: i32 = 76;

/// Everything that faults are made with.
pub(crate) struct Nemesis<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) books: &'a Books,
    pub(crate) herd: &'a mut Herd,
    /// One for each server, if servers have their own.
    pub(crate) disks: &'a [LoopDisk],
    /// The same.
    pub(crate) clocks: &'a [FakeClock],
}

impl Nemesis<'_> {
    /// Applies every fault in its time.
    ///
    /// # Errors
    /// If a server misbehaves.
    pub(crate) async fn play(&mut self) -> Result<(), String> {
        for timed in &self.scenario.faults {
            sleep_until(self.books.at(timed.at)).await;
            self.look()?;
            self.apply(timed.fault).await?;
        }
        sleep_until(self.books.at(self.scenario.length)).await;
        self.look()
    }

    fn server(&mut self, server: ServerIndex) -> &mut Server {
        self.herd.server_mut(self.scenario.shape.names[server])
    }

    /// Servers end only when they are told to.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        for position in 0..self.scenario.shape.names.len() {
            let Some(status) = self.server(position).has_ended() else {
                continue;
            };
            let name = self.scenario.shape.names[position];
            let superseded = status.code() == Some(SUPERSEDED) && self.scenario.sets_clocks;
            if !superseded {
                return Err(format!("{name} ended by itself: {status}"));
            }
            let now = self.books.now();
            self.books
                .note(position, (Duration::ZERO, now), HarmKind::ProcessEnded);
            self.begin(position);
        }
        Ok(())
    }

    async fn apply(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::Kill(server) => self.kill(server, HarmKind::ProcessEnded),
            Fault::Stop(server) => self.stop(server).await?,
            Fault::Start(server) => self.start(server).await?,
            Fault::StartFrozen(server) => self.begin(server),
            Fault::Pause(server) => {
                self.books.begins(server, HarmKind::Stalled);
                self.server(server).stop();
            }
            Fault::Resume(server) => {
                self.server(server).resume();
                self.books.ends(server, HarmKind::Stalled);
            }
            Fault::Wipe(server) => {
                let from = self.books.now();
                self.server(server).wipe();
                let during = (from, self.books.now());
                self.books.note(server, during, HarmKind::DiskLost);
            }
            Fault::LosePower(server) => {
                let from = self.books.now();
                // A machine without power answers nothing, not even that its disk is gone.
                self.server(server).stop();
                self.disks[server].cut_power();
                self.server(server).kill();
                let during = (from, self.books.now());
                self.books.note(server, during, HarmKind::PowerLost);
                self.disks[server].power_on();
            }
            Fault::FreezeDisk(server) => {
                self.books.begins(server, HarmKind::Stalled);
                self.disks[server].freeze();
            }
            Fault::ThawDisk(server) => {
                self.disks[server].thaw();
                self.books.ends(server, HarmKind::Stalled);
                self.listens(server).await?;
            }
            Fault::FillDisk(server) => {
                self.books.begins(server, HarmKind::DiskFull);
                self.disks[server].fill();
            }
            Fault::EmptyDisk(server) => self.disks[server].empty(),
            Fault::Cut(link, cut) => self.set_link(link, passage(cut)),
            Fault::Join(link) => self.set_link(link, Passage::Open),
            Fault::SetClock(server, ahead_s) => {
                let from = self.books.now();
                self.clocks[server].set(ahead_s);
                // A reader may read it a moment later.
                let during = (from, self.books.now() + Duration::from_millis(100));
                self.books.note(server, during, HarmKind::ClockSet(ahead_s));
            }
        }
        Ok(())
    }

    fn kill(&mut self, server: ServerIndex, kind: HarmKind) {
        let from = self.books.now();
        self.server(server).kill();
        self.books.note(server, (from, self.books.now()), kind);
    }

    async fn stop(&mut self, server: ServerIndex) -> Result<(), String> {
        let from = self.books.now();
        let status = self.server(server).terminate().await;
        let during = (from, self.books.now());
        if status.code() != Some(0) {
            let name = self.scenario.shape.names[server];
            return Err(format!("{name} was told to stop, and ended with {status}"));
        }
        // How it ended is known, and expected.
        self.server(server).kill();
        self.books.note(server, during, HarmKind::Stopped);
        Ok(())
    }

    /// Begins a process, and does not wait for it.
    fn begin(&mut self, server: ServerIndex) {
        let number = self.books.next_process(server);
        self.books.begins(server, HarmKind::ProcessBegan(number));
        self.server(server).start();
    }

    async fn start(&mut self, server: ServerIndex) -> Result<(), String> {
        self.begin(server);
        self.listens(server).await
    }

    async fn listens(&mut self, server: ServerIndex) -> Result<(), String> {
        if !self.server(server).try_listening().await {
            let name = self.scenario.shape.names[server];
            return Err(format!("a port of {name} was taken by another process"));
        }
        let number = self.books.process(server);
        self.books.ends(server, HarmKind::ProcessBegan(number));
        self.books.ends(server, HarmKind::DiskFull);
        Ok(())
    }

    fn set_link(&mut self, link: usize, passage: Passage) {
        let (a, b) = self.scenario.shape.links[link];
        let names = self.scenario.shape.names;
        self.herd.set_link(names[a], names[b], passage);
    }

    /// All links whole, all servers up, all disks and clocks good.
    ///
    /// # Errors
    /// If a server misbehaves.
    pub(crate) async fn heal(&mut self) -> Result<(), String> {
        for link in 0..self.scenario.shape.links.len() {
            self.set_link(link, Passage::Open);
        }
        for server in 0..self.clocks.len() {
            self.apply(Fault::SetClock(server, 0)).await?;
        }
        for server in 0..self.scenario.shape.names.len() {
            if !self.server(server).is_running() {
                let name = self.scenario.shape.names[server];
                return Err(format!("{name} is down, though the script starts it"));
            }
        }
        Ok(())
    }
}

fn passage(cut: Cut) -> Passage {
    match cut {
        Cut::Off => Passage::Cut,
        Cut::Silent => Passage::Frozen,
        Cut::SilentForth => Passage::FrozenForth,
        Cut::SilentBack => Passage::FrozenBack,
    }
}
