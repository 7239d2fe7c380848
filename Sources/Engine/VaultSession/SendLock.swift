import Glibc

/// Keeps whole lines and frames of several sending threads apart; held while a thread blocks in a send.
final class SendLock: @unchecked Sendable {
  // A pthread mutex must not move: it lives behind a stable pointer that only this class touches.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() {
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }
}
