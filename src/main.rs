//! The command, which does nothing yet: the library comes first, room by room.

fn main() {}
