/// Whether a volume takes more data.
package enum VolumeStatus: String, Sendable, CaseIterable {
  case append = "Append"
  case full = "Full"
  /// A write, sync or close failed, or recovery met damage: nothing more is appended.
  case error = "Error"
  /// Nothing refers to what it holds: its file goes, or is gone.
  case purged = "Purged"
}

/// Where a block is on a volume: on disk file 0 and offset / 4096, on tape the drive's numbers.
package struct BlockAddress: Hashable, Comparable, Sendable {
  package var file: UInt32
  package var block: UInt32

  package init(file: UInt32 = 0, block: UInt32) {
    self.file = file
    self.block = block
  }

  package static func < (left: BlockAddress, right: BlockAddress) -> Bool {
    (left.file, left.block) < (right.file, right.block)
  }
}

/// A volume as its label and the catalog know it.
package struct Volume: Hashable, Sendable {
  package var identifier: UniqueIdentifier
  /// The file's name: `vol-0001`, or another prefix that a pool gives.
  package var name: String
  package var status: VolumeStatus
  /// The end in 4 KiB units that the catalog has acknowledged; what lies before it is never cut.
  package var end: BlockAddress
  package var labeled: Timestamp
  /// Where a director finds it: `<storage>/<device>`; nil where there is only one place, and on the wire.
  package var place: String?

  package init(
    identifier: UniqueIdentifier, name: String, status: VolumeStatus, end: BlockAddress, labeled: Timestamp,
    place: String? = nil
  ) {
    self.identifier = identifier
    self.name = name
    self.status = status
    self.end = end
    self.labeled = labeled
    self.place = place
  }
}

/// The blocks of a volume between which a session's data lies.
package struct SessionExtent: Hashable, Sendable {
  package var volume: UniqueIdentifier
  /// The first block that holds data of the session.
  package var start: BlockAddress
  /// The last one.
  package var end: BlockAddress

  package init(volume: UniqueIdentifier, start: BlockAddress, end: BlockAddress) {
    self.volume = volume
    self.start = start
    self.end = end
  }
}

/// Whether a group holds content or attributes.
package enum GroupKind: UInt8, Sendable {
  case data = 1
  case attributes = 2
  case commit = 3
}

/// The data groups of a half-sent content that commits cover.
package struct CommittedGroups: Hashable, Sendable {
  /// Where in the content the last of them begins.
  package var lastOffset: UInt64
  /// Bytes of the records in all of them; 0 when there is none.
  package var rawByteCount: UInt64

  package init(lastOffset: UInt64, rawByteCount: UInt64) {
    self.lastOffset = lastOffset
    self.rawByteCount = rawByteCount
  }
}

/// Where one record group of a session lies.
package struct GroupLocation: Hashable, Sendable {
  package var group: UInt64
  package var kind: GroupKind
  /// The index of the first entry whose content or record is in the group.
  package var firstEntry: UInt64
  /// Where in that entry's content the group begins.
  package var firstOffset: UInt64
  package var volume: UniqueIdentifier
  /// The block that holds the group.
  package var block: BlockAddress
  /// The group's length on the volume, header included.
  package var storedLength: UInt32
  /// The length of the group's records before compression.
  package var rawLength: UInt32

  package init(
    group: UInt64, kind: GroupKind, firstEntry: UInt64, firstOffset: UInt64, volume: UniqueIdentifier,
    block: BlockAddress, storedLength: UInt32, rawLength: UInt32
  ) {
    self.rawLength = rawLength
    self.group = group
    self.kind = kind
    self.firstEntry = firstEntry
    self.firstOffset = firstOffset
    self.volume = volume
    self.block = block
    self.storedLength = storedLength
  }
}

/// A record group with the session whose it is.
package struct PlacedGroup: Hashable, Sendable {
  package var session: UniqueIdentifier
  package var location: GroupLocation

  package init(session: UniqueIdentifier, location: GroupLocation) {
    self.session = session
    self.location = location
  }
}

/// A group of a volume, by the block that holds it.
package struct BlockGroup: Hashable, Sendable {
  package var block: UInt32
  package var group: UInt64

  package init(block: UInt32, group: UInt64) {
    self.block = block
    self.group = group
  }
}
