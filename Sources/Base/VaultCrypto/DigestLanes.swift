import VaultModel

#if arch(x86_64)
  import CMultiBuffer

  /// What digests contents side by side: two or more take hardly longer than one. Belongs to one thread.
  final class DigestLanes {
    private typealias Step = @convention(c) (UnsafeMutablePointer<IMB_MGR>?) -> UnsafeMutablePointer<IMB_JOB>?

    private let manager: UnsafeMutablePointer<IMB_MGR>
    /// The manager's functions for this processor.
    private let (next, submit, completed, flush): (Step, Step, Step, Step)
    private var output = [UInt8](repeating: 0, count: BatchHasher.usualCount * Digest256.byteCount)

    /// Nil when the processor has no instructions that the library knows, or there is no memory.
    init?() {
      guard let manager = alloc_mb_mgr(0) else { return nil }
      // The library chooses by the width of registers. With instructions for SHA, two contents at once take less time than eight
      // without.
      if manager.pointee.features & vault_multibuffer_sha_features == vault_multibuffer_sha_features {
        init_mb_mgr_sse(manager)
      } else {
        init_mb_mgr_auto(manager, nil)
      }
      guard imb_get_errno(manager) == 0, let next = manager.pointee.get_next_job,
        let submit = manager.pointee.submit_job_nocheck, let completed = manager.pointee.get_completed_job,
        let flush = manager.pointee.flush_job
      else {
        free_mb_mgr(manager)
        return nil
      }
      self.manager = manager
      (self.next, self.submit, self.completed, self.flush) = (next, submit, completed, flush)
    }

    deinit { free_mb_mgr(manager) }

    /// Appends a digest for each content; those of contents that are empty or longer than the limit mean nothing.
    ///
    /// The library's own check refuses lengths above 65,534, which its other algorithms count with 16 bits; SHA-256 counts with 64,
    /// and what the check is for besides (no address, an unknown algorithm) does not come from here.
    /// - Returns: false when the library failed; nothing is appended then.
    func digest(_ contents: [UnsafeRawBufferPointer], limit: Int, into digests: inout [Digest256]) -> Bool {
      let byteCount = contents.count * Digest256.byteCount
      if output.count < byteCount { output = [UInt8](repeating: 0, count: byteCount) }
      return output.withUnsafeMutableBufferPointer { output in
        guard run(contents, limit, output) else { return false }
        for place in contents.indices {
          let bytes = output[place * Digest256.byteCount..<(place + 1) * Digest256.byteCount]
          guard let digest = Digest256(bytes: UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: bytes)))
          else { return false }
          digests.append(digest)
        }
        return true
      }
    }

    /// Puts each digest at its content's place; false when not all were done.
    private func run(
      _ contents: [UnsafeRawBufferPointer], _ limit: Int, _ output: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
      var (givenCount, doneCount) = (0, 0)
      for (place, content) in contents.enumerated() where !content.isEmpty && content.count <= limit {
        guard let job = next(manager) else { return false }
        job.pointee.cipher_mode = IMB_CIPHER_NULL
        job.pointee.cipher_direction = IMB_DIR_ENCRYPT
        job.pointee.chain_order = IMB_ORDER_HASH_CIPHER
        job.pointee.hash_alg = IMB_AUTH_SHA_256
        job.pointee.src = content.baseAddress?.assumingMemoryBound(to: UInt8.self)
        job.pointee.hash_start_src_offset_in_bytes = 0
        vault_multibuffer_set_length(job, UInt64(content.count))
        job.pointee.auth_tag_output = output.baseAddress?.advanced(by: place * Digest256.byteCount)
        job.pointee.auth_tag_output_len_in_bytes = UInt64(Digest256.byteCount)
        givenCount += 1
        var done = submit(manager)
        while let job = done {
          if job.pointee.status == IMB_STATUS_COMPLETED { doneCount += 1 }
          done = completed(manager)
        }
      }
      while let job = flush(manager) { if job.pointee.status == IMB_STATUS_COMPLETED { doneCount += 1 } }
      return doneCount == givenCount
    }
  }
#else
  /// No library digests contents side by side on this kind of processor.
  final class DigestLanes {
    init?() { return nil }

    func digest(_ contents: [UnsafeRawBufferPointer], limit: Int, into digests: inout [Digest256]) -> Bool { false }
  }
#endif
