import VaultModel

/// What makes a file the same file under another name: device and inode.
package struct FileIdentity: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  package init(_ attributes: FileAttributes) {
    self.init(device: attributes.device, inode: attributes.inode)
  }
}
