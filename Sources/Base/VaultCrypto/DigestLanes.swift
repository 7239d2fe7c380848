import VaultModel

#if arch(x86_64)
  import CMultiBuffer

  /// What digests contents side by side: two or more take hardly longer than one. Belongs to one thread.
  final class DigestLanes {
    private let manager: UnsafeMutablePointer<IMB_MGR>
    private var messages: [vault_multibuffer_content] = []
    private var output = [UInt8](repeating: 0, count: BatchHasher.usualCount * Digest256.byteCount)

    /// Nil when the processor has no instructions that the library knows, or there is no memory.
    init?() {
      guard let manager = vault_multibuffer_new() else { return nil }
      self.manager = manager
      messages.reserveCapacity(BatchHasher.usualCount)
    }

    deinit { free_mb_mgr(manager) }

    /// Whether a content has a length that the library takes.
    static func takes(_ content: UnsafeRawBufferPointer) -> Bool {
      content.count > 0 && content.count <= Int(vault_multibuffer_limit)
    }

    /// Appends a digest for each content; those of contents that it does not take mean nothing.
    ///
    /// - Returns: false when the library failed; nothing is appended then.
    func digest(_ contents: [UnsafeRawBufferPointer], into digests: inout [Digest256]) -> Bool {
      messages.removeAll(keepingCapacity: true)
      for content in contents where Self.takes(content) {
        messages.append(vault_multibuffer_content(bytes: content.baseAddress, count: content.count))
      }
      let byteCount = messages.count * Digest256.byteCount
      if output.count < byteCount { output = [UInt8](repeating: 0, count: byteCount) }
      let doneCount = output.withUnsafeMutableBufferPointer {
        vault_multibuffer_sha256(manager, messages, messages.count, $0.baseAddress)
      }
      guard doneCount == messages.count else { return false }
      output.withUnsafeBytes { output in
        var start = 0
        for content in contents {
          let isTaken = Self.takes(content)
          let bytes = UnsafeRawBufferPointer(rebasing: output[start..<start + (isTaken ? Digest256.byteCount : 0)])
          digests.append(Digest256(bytes: bytes) ?? Digest256(words: (0, 0, 0, 0)))
          start += bytes.count
        }
      }
      return true
    }
  }
#else
  /// No library digests contents side by side on this kind of processor.
  final class DigestLanes {
    init?() { return nil }

    static func takes(_ content: UnsafeRawBufferPointer) -> Bool { false }

    func digest(_ contents: [UnsafeRawBufferPointer], into digests: inout [Digest256]) -> Bool { false }
  }
#endif
