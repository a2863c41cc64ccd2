//! The module's connect ids, 0 to 11 on most families: who has which, and
//! which one is taken next.

use crate::family::Family;

/// The module's connect ids. They are not slot numbers: an id is used again
/// only after its `AT+QICLOSE` was answered, the longest unused one first,
/// because a late URC names nothing but the id.
#[derive(Debug)]
pub(super) struct Ids {
    uses: [IdUse; Family::MAX_SOCKETS],
    count: u8,
    clock: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdUse {
    /// Since this moment of `clock`.
    Free(u32),
    Taken,
    /// Must be closed before it can be used.
    Discard,
}

impl Ids {
    pub(super) const fn new(count: u8) -> Self {
        Self {
            uses: [IdUse::Free(0); Family::MAX_SOCKETS],
            count,
            clock: 0,
        }
    }

    fn set(&mut self, id: u8, to: IdUse) {
        if let Some(entry) = self.uses.get_mut(usize::from(id)) {
            *entry = to;
        }
    }

    pub(super) fn least_recently_used(&self) -> Option<u8> {
        let ids = (0..self.count).zip(&self.uses);
        let free = ids.filter_map(|(id, entry)| match entry {
            IdUse::Free(since) => Some((since, id)),
            _ => None,
        });
        free.min().map(|(_, id)| id)
    }

    pub(super) fn take(&mut self, id: u8) {
        self.set(id, IdUse::Taken);
    }

    pub(super) fn free(&mut self, id: u8) {
        self.clock = self.clock.wrapping_add(1);
        self.set(id, IdUse::Free(self.clock));
    }

    pub(super) fn is_free(&self, id: u8) -> bool {
        matches!(self.uses.get(usize::from(id)), Some(IdUse::Free(_)))
    }

    pub(super) fn free_all(&mut self) {
        self.uses = [IdUse::Free(0); Family::MAX_SOCKETS];
    }

    /// The module may hold a socket under this id that nobody wants.
    pub(super) fn discard(&mut self, id: u8) {
        self.set(id, IdUse::Discard);
    }

    pub(super) fn to_discard(&self) -> Option<u8> {
        let mut ids = (0..).zip(&self.uses);
        ids.find(|(_, entry)| **entry == IdUse::Discard)
            .map(|(id, _)| id)
    }

    /// The module does not list this id.
    pub(super) fn gone(&mut self, id: u8) {
        if let Some(IdUse::Discard) = self.uses.get(usize::from(id)) {
            self.free(id);
        }
    }

    pub(super) fn any_to_discard(&self) -> bool {
        self.to_discard().is_some()
    }
}
