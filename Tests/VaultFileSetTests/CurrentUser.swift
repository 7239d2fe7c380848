import Glibc

/// What an ordinary user may set as owner.
let currentUser = geteuid()
let currentGroup = getegid()
