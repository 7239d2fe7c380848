import Testing
import VaultSystem

@Suite struct PrivateNetworkTests {
  @Test(arguments: [
    "127.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.1.1", "::1", "fc00::1",
    "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "::ffff:10.0.0.1",
  ])
  func belongsToOne(address: String) { #expect(PrivateNetwork.contains(address) == true) }

  @Test(arguments: [
    "128.0.0.1", "11.0.0.1", "172.15.255.255", "172.32.0.1", "192.169.0.1", "192.0.2.1", "169.253.1.1", "100.64.0.1",
    "::", "::2", "2001:db8::1", "fe00::1", "fec0::1", "::ffff:192.0.2.1",
  ])
  func belongsToNone(address: String) { #expect(PrivateNetwork.contains(address) == false) }

  @Test(arguments: ["", "localhost", "10.0.0", "10.0.0.1:80", "[::1]"])
  func isNoAddress(text: String) { #expect(PrivateNetwork.contains(text) == nil) }
}
