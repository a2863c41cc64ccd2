//! What the application should know although it asked for nothing.

use heapless::Deque;

use super::Engine;

/// Something that happened to the module or the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// The module is set up and the PDP context active: sockets can be
    /// opened.
    Up,
    /// An answer did not come, or was damaged. The line is being
    /// resynchronised; sockets go on unless they fail.
    LineLost,
    /// The line works again. Sockets whose data was affected have failed.
    LineRestored,
    /// The module restarted, by itself or because it was told to after
    /// [`Escalated`](Self::Escalated): every socket has failed, the set-up
    /// runs again.
    ModuleRestarted,
    /// The network dropped the PDP context: its sockets have failed.
    ContextLost,
    /// The module does not answer and is being restarted: every socket has
    /// failed.
    Escalated,
    /// The module does not answer `AT+CFUN=1,1` either, or has not answered
    /// for 60 s since it was first asked: its reset pin should be pulled now. A [`Port`](crate::Port) that can does so by itself.
    ResetWanted,
    /// Nothing helped. The module is still asked now and then; if it answers
    /// one day, the set-up runs and [`Up`](Self::Up) follows.
    ModuleLost,
    /// The application's URC port setting was not that of the module, and has
    /// been written to its flash.
    UrcPortChanged,
    /// A client was refused: the module has no connect id left.
    IncomingFull,
    /// Older events were dropped because nobody collected them.
    Missed,
}

/// Events kept for collection.
const KEPT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Events(Deque<Event, KEPT>);

impl Events {
    #[cfg(feature = "asynch")]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.0.is_full() {
            // The oldest goes, and the one behind it says so.
            self.0.pop_front();
            if let Some(oldest) = self.0.front_mut() {
                *oldest = Event::Missed;
            }
        }
        // There is room now.
        let _ = self.0.push_back(event);
    }
}

impl Engine<'_> {
    /// The oldest event that was not collected; up to 8 are kept.
    pub fn event(&mut self) -> Option<Event> {
        self.world.events.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_events_leave_a_mark() {
        let mut events = Events::default();
        for _ in 0..KEPT {
            events.push(Event::Up);
        }
        events.push(Event::LineLost);
        assert_eq!(events.0.len(), KEPT);
        assert_eq!(events.0.front(), Some(&Event::Missed));
        assert_eq!(events.0.back(), Some(&Event::LineLost));
    }
}
