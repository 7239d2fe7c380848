import VaultMessages
import VaultProtocol

extension Message {
  /// What a frame to the director says of it.
  var frame: [UInt8] {
    MessageLine(time: time, messageClass: messageClass.rawValue, isOfJob: job != nil, text: text).line.encoded()
  }
}
